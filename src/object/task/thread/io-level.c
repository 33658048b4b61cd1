/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Since Linux 5.5 the level of iopl(2) is in no register, and nothing but the kernel's memory tells it: there criu, who
 * traces all threads of the tree, finds them in a list of its own.
 */
#include "object/task/thread/io-level.h"

#include <linux/capability.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/array.h"
#include "base/auto.h"
#include "base/vector.h"
#include "kern/btf.h"
#include "kern/peek.h"
#include "session/loss.h"

#ifdef __NR_iopl
#define TRACED_MAX 1000000 /* the list is a ring */

enum place { TRACED, TRACED_ENTRY, PID, CPU_STATE, LEVEL, PID_LEVEL, PID_NUMBERS, NUMBER, PLACES };

static const struct {
	const char *type, *member;
} members[PLACES] = {
	[TRACED] = { "task_struct", "ptraced" },    [TRACED_ENTRY] = { "task_struct", "ptrace_entry" },
	[PID] = { "task_struct", "thread_pid" },    [CPU_STATE] = { "task_struct", "thread" },
	[LEVEL] = { "thread_struct", "iopl_emul" }, [PID_LEVEL] = { "pid", "level" },
	[PID_NUMBERS] = { "pid", "numbers" },	    [NUMBER] = { "upid", "" },
};

/* Those that have one; nearly always nobody. */
struct level {
	pid_t tid;
	uint32_t level;
};

struct levels {
	bool exist; /* CONFIG_X86_IOPL_IOPERM */
	bool asked, known;
	struct peek *peek; /* NULL: criu may not */
	struct btf_place places[PLACES];
	VECTOR(struct level) list;
};

static void levels_done(void *state)
{
	struct levels *levels = state;

	peek_close(&levels->peek);
	vector_done(&levels->list);
}

static const struct state_type levels_state = { sizeof(struct levels), levels_done };

static bool find_places(struct levels *levels)
{
	AUTO(btf_close) struct btf *btf = NULL;

	if (btf_open(&btf) < 0)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(members); i++)
		if (btf_find(btf, members[i].type, members[i].member, &levels->places[i]) < 0)
			return false;
	return true;
}

/* The lowest level is everybody's: to ask for it changes nothing. */
int io_level_begin(struct dump *d)
{
	struct levels *levels = state_make(d->states, &levels_state);

	levels->exist = syscall(__NR_iopl, 0) == 0;
	if (levels->exist && find_places(levels) && peek_open(&levels->peek) < 0)
		levels->peek = NULL;
	return 0;
}

static bool read_word(struct levels *levels, uint64_t address, uint64_t *ret)
{
	*ret = 0;
	return peek_read(levels->peek, address, ret, sizeof(*ret)) == 0;
}

/* Its number as the task at `from` sees it. */
static bool read_tid(struct levels *levels, uint64_t task, uint64_t from, pid_t *ret)
{
	const struct btf_place *places = levels->places;
	uint64_t own, its, level, number;

	if (!read_word(levels, from + places[PID].offset, &own) ||
	    !read_word(levels, own + places[PID_LEVEL].offset, &level) ||
	    !read_word(levels, task + places[PID].offset, &its) ||
	    !read_word(levels, its + places[PID_NUMBERS].offset + (uint32_t)level * places[NUMBER].size, &number))
		return false;
	*ret = (pid_t)(uint32_t)number;
	return true;
}

static bool read_levels(struct levels *levels)
{
	const struct btf_place *places = levels->places;
	const uint64_t self = levels->peek ? peek_current(levels->peek) : 0, head = self + places[TRACED].offset;
	uint64_t entry, level;

	if (!self || !read_word(levels, head, &entry))
		return false;
	for (unsigned i = 0; entry != head; i++) {
		const uint64_t task = entry - places[TRACED_ENTRY].offset;
		struct level one;

		if (i == TRACED_MAX ||
		    !read_word(levels, task + places[CPU_STATE].offset + places[LEVEL].offset, &level) ||
		    !read_word(levels, entry, &entry))
			return false;
		one.level = (uint32_t)level;
		if (!one.level)
			continue;
		if (!read_tid(levels, task, self, &one.tid))
			return false;
		*vector_push(&levels->list) = one;
	}
	return true;
}

uint32_t io_level_of(const struct dump *d, const struct thread *thread)
{
	const uint64_t needed = 1ull << CAP_SYS_RAWIO;
	struct levels *levels = state_find(d->states, &levels_state);

	/* Who cannot have the right cannot have changed its level. */
	if (!levels->exist || !(thread->dump->status.cap_bounding & needed))
		return 0;
	if (!levels->asked)
		levels->known = read_levels(levels);
	levels->asked = true;
	for (size_t i = 0; i < levels->list.n; i++)
		if (levels->list.items[i].tid == thread->tid)
			return levels->list.items[i].level;
	if (!levels->known && thread->dump->status.cap_permitted & needed)
		dump_report_loss(
			d, "whether it may use all I/O ports (iopl(2); criu may not look into the kernel's memory)");
	return 0;
}
#else
int io_level_begin(struct dump *d)
{
	return 0;
}

uint32_t io_level_of(const struct dump *d, const struct thread *thread)
{
	return 0;
}
#endif
