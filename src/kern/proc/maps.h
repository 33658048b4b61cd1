/* SPDX-License-Identifier: LGPL-2.1-only */
/* The memory map of a process: /proc/PID/maps and smaps. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/pool.h"

/* The two-letter words of "VmFlags:" in smaps (proc_pid_smaps(5)). */
/* clang-format off */
#define VM_FLAGS(X) \
	X(RD, 'r', 'd') X(WR, 'w', 'r') X(EX, 'e', 'x') X(SH, 's', 'h') X(MR, 'm', 'r') X(MW, 'm', 'w') \
	X(ME, 'm', 'e') X(MS, 'm', 's') X(GD, 'g', 'd') X(PF, 'p', 'f') X(DW, 'd', 'w') X(LO, 'l', 'o') \
	X(IO, 'i', 'o') X(SR, 's', 'r') X(RR, 'r', 'r') X(DC, 'd', 'c') X(DE, 'd', 'e') X(AC, 'a', 'c') \
	X(NR, 'n', 'r') X(HT, 'h', 't') X(SF, 's', 'f') X(NL, 'n', 'l') X(AR, 'a', 'r') X(WF, 'w', 'f') \
	X(WN, 'w', 'n') X(DD, 'd', 'd') X(SD, 's', 'd') X(MM, 'm', 'm') X(HG, 'h', 'g') X(NH, 'n', 'h') \
	X(MG, 'm', 'g') X(MT, 'm', 't') X(BT, 'b', 't') X(UM, 'u', 'm') X(UW, 'u', 'w') X(UI, 'u', 'i') \
	X(DP, 'd', 'p') X(SS, 's', 's') X(GU, 'g', 'u') X(SL, 's', 'l') X(LF, 'l', 'f')
/* clang-format on */

enum vm_flag_bit {
#define VM_FLAG_BIT(name, a, b) VMF_##name##_BIT,
	VM_FLAGS(VM_FLAG_BIT)
#undef VM_FLAG_BIT
		VMF_BITS
};

/* A word that is not in the list: its meaning is unknown. */
#define VMF_UNKNOWN (1ull << 63)
/* VMF(HG) is the bit of "hg". */
#define VMF(name) (1ull << VMF_##name##_BIT)

struct mapping {
	uint64_t start, end; /* bytes */
	uint64_t pgoff;	     /* bytes, 0 for anonymous */
	uint32_t prot;	     /* PROT_READ | PROT_WRITE | PROT_EXEC */
	bool shared;	     /* MAP_SHARED, as the letter 's' says */
	bool deleted;	     /* the name ended with " (deleted)", which was cut off */
	dev_t dev;	     /* of the file system as maps shows it: not always what stat(2) says */
	ino_t inode;	     /* 0 for anonymous */
	bool inherited_ring; /* not from the file: an AIO ring of the process that this one was forked from; whoever
				finds out says so */
	bool tracked; /* criu's own userfaultfd watches it (kern/track.h), and VMF(UW) was taken away; whoever finds out
			 says so */
	bool ahead;   /* --live: what it has was copied before the task stood still, but what was written to since, and
			 VMF(UW) was taken away; whoever finds out says so */
	bool pinned;  /* an io_uring holds pages of it and writes to them unseen; whoever finds out says so */
	const char *name; /* unescaped path, "[heap]", "[anon:x]" ...; NULL if there is none */

	/* 0 in plain mode: */
	uint64_t vm_flags;	   /* VMF(..) */
	uint32_t kernel_page_size; /* bytes: bigger than the system's for hugetlb */
	int32_t pkey;		   /* protection key, 0 where there are none */
	bool no_policy;		   /* it is known to have no memory policy of its own; whoever finds out says so */
	uint64_t rss_kb, anon_huge_kb, swap_kb, locked_kb, anonymous_kb;
	uint64_t shared_kb; /* mapped by other processes too: file pages, or still shared copy-on-write */
};

enum mappings_mode {
	MAPPINGS_PLAIN, /* maps: cheap */
	MAPPINGS_FULL,	/* smaps: walks the page tables of the process */
};

/* The mappings in rising order. Names live in the pool. */
struct mappings {
	struct mapping *items;
	size_t n, capacity;
	struct pool *names;
	uint64_t private_kb; /* what they have in all, where they do not tell it one by one, else 0 */
};

int mappings_read(int proc, enum mappings_mode mode, struct mappings *ret);
/* Of a process that may end meanwhile: -errno of that is not logged. */
int mappings_read_running(int proc, enum mappings_mode mode, struct mappings *ret);
/* smaps only as far as needed: `enough` is asked from time to time, with what there is so far. */
typedef bool mappings_enough(void *arg, const struct mappings *mappings);
int mappings_read_some(int proc, mappings_enough *enough, void *arg, struct mappings *ret);
void mappings_done(struct mappings *mappings);

/* Takes the whole lines of the text; returns how many bytes they were, or -EINVAL (reported). */
ssize_t mappings_parse(struct mappings *mappings, const char *text, size_t size);

/* The mapping that contains the address, or NULL. */
const struct mapping *mappings_find(const struct mappings *mappings, uint64_t address);
