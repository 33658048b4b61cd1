/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The little library of the subjects: programs that build up some kernel state, let themselves be checkpointed and
 * restored, and check that the state is still there. See docs/ADD-A-TEST.md.
 *
 * Subjects talk with the runner only through files in a control directory, by path: no descriptor, no memory, no signal
 * and no timer of this library is part of what is tested.
 */
#pragma once
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

/* What the runner must know about a subject. All members are optional; words are separated by blanks. */
struct subject {
	char options[128]; /* for criu dump and restore */
	char dump_options[128];
	char restore_options[128];
	char ways[128];	    /* only these ways make sense */
	char not_ways[128]; /* all but these */
	char ignore[128];   /* facts of the /proc comparison that may differ, see checks.py */
	char house[128];    /* namespaces that it lives in, as "pid,uts"; it is then run in no other house */
	char refused[128];  /* dump must refuse, with a message that matches this regular expression */
	uint32_t seconds;   /* it may run this long after the release, default 10 */
};

struct subject_note {
	uint32_t name_size, size, type;
	char name[8];
	struct subject subject;
};

/* Every subject has one SUBJECT(...) line: it ends up in an ELF note, which the runner reads. */
#define SUBJECT(...)                                                                                                   \
	__attribute__((section(".note.subject"), used, aligned(4))) static const struct subject_note subject_note_ = { \
		8, sizeof(struct subject), 1, "subject", { __VA_ARGS__ }                                               \
	};

/*
 * Announces "ready" and waits; returns in the restored process. The state to test must have been built before.
 * checkpoint_with(n) announces only when n children or threads are in wait_for_restore().
 */
void checkpoint(void);
void checkpoint_with(unsigned waiters);

/* For children and threads: waits until the runner lets the restored tree go on. */
void wait_for_restore(void);

/* True as soon as the runner has let the tree go on; for programs that must be busy while they are checkpointed. */
bool is_restored(void);

/* The same in two halves, for a thread that is to wait in a system call of its own choice. */
void announce_waiter(void);

/* Waits until this child, or thread of the calling process, sleeps in the system call of this number. */
void await_call(pid_t tid, long number);

/* The path of a file in the control directory, for handshakes between processes of one subject. In static memory. */
const char *control_path(const char *name);

/* Calls that must not fail before the checkpoint: returns the result, or ends the subject with file, line and errno. */
#define must(call)                                                      \
	({                                                              \
		__typeof__(call) must_ = (call);                        \
		if ((long)must_ == -1L)                                 \
			subject_fail(__FILE__, __LINE__, #call, errno); \
		must_;                                                  \
	})

/* What must be true, before or after. Ends this process with status 1 and tells the runner. */
#define CHECK(condition)                                                     \
	do {                                                                 \
		if (!(condition))                                            \
			subject_fail(__FILE__, __LINE__, #condition, errno); \
	} while (0)

/* Two integers that must be equal; tells both. */
#define CHECK_EQUAL(got, wanted)                                                  \
	do {                                                                      \
		long long got_ = (long long)(got), wanted_ = (long long)(wanted); \
		if (got_ != wanted_)                                              \
			subject_unequal(__FILE__, __LINE__, #got, got_, wanted_); \
	} while (0)

#define ARRAY_SIZE(x) (sizeof(x) / sizeof((x)[0]))

/* Ends the subject: this kernel or machine lacks something. Only before the checkpoint. */
#define skip(...) subject_skip(__VA_ARGS__)

/* A child that runs work(arg) and exits with what it returns; the parent gets its pid. */
pid_t start_child(int (*work)(void *arg), void *arg);
/* Waits for a child and checks that it ended with this exit status. */
void join_child(pid_t pid, int status);

/* Fills memory with bytes that depend on seed and position; checks that they are all there. */
void fill(void *memory, size_t size, unsigned seed);
void check_filled(const void *memory, size_t size, unsigned seed);
/* Checks that all bytes are zero. */
void check_zero(const void *memory, size_t size);

void sleep_ms(unsigned ms);

_Noreturn void subject_fail(const char *file, int line, const char *what, int error);
_Noreturn void subject_unequal(const char *file, int line, const char *what, long long got, long long wanted);
bool has_linux(int major, int minor);
/* Ends the subject where the kernel is older. what: that it takes this one to save it. */
void need_linux(int major, int minor, const char *what);
_Noreturn void subject_skip(const char *format, ...) __attribute__((format(printf, 1, 2)));
