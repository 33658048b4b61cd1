/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * What this kernel can do, found out by experiments. A probe is lazy, cached by whoever asks, and harms nothing: what
 * changes the state of a process or of a namespace is tried in a child.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum feature_group {
	FEATURE_REQUIRED,
	FEATURE_EXTRA,
	FEATURE_EXPERIMENTAL,
	FEATURE_INFO,
	FEATURE_NAMED, /* in no group of checks */
};

enum feature_id {
#define FEATURE(id, ...) FEATURE_ID_##id,
#include "kern/features.def"
#undef FEATURE
	FEATURE_COUNT,
};

struct feature {
	const char *name;
	enum feature_group group;
	const char *since, *needed_for;
	/* 1 = there, 0 = not, -ENOENT = has no meaning on this machine, another -errno = could not be tried. Logs
	 * nothing but debug lines. */
	int (*probe)(void);
};

extern const struct feature features[FEATURE_COUNT];

/* NULL if the name is unknown. */
const struct feature *feature_find(const char *name);

/* Zero-initialised: nothing is known yet. One for each session. */
struct probes {
	bool known[FEATURE_COUNT];
	int result[FEATURE_COUNT];
};

/* The result of struct feature.probe(), tried at most once. */
int probe_result(struct probes *probes, enum feature_id id);

static inline bool probe_has(struct probes *probes, enum feature_id id)
{
	return probe_result(probes, id) > 0;
}

/* --- for the probes --- */

#define FEATURE(id, ...) int probe_##id(void);
#include "kern/features.def"
#undef FEATURE

/*
 * What a call that has just failed says about the kernel, by errno: 0, it does not know that, or -errno, it did not let
 * us try.
 */
int probe_failed(void);

/* Runs run() in a child, killed after a minute, and returns its result; 0 if the child dies by a signal. */
int probe_in_child(int (*run)(void));

/* The same in fresh mount and net namespaces: mounts don't propagate, lo is up. -errno if they cannot be made. */
int probe_in_namespaces(int (*run)(void));

/*
 * Starts a child that first runs prepare() (NULL = nothing) and then waits, stopped under ptrace(2). Its pid, or
 * -errno. To be ended by probe_end_tracee().
 */
int probe_start_tracee(int (*prepare)(void));
void probe_end_tracee(pid_t pid);

/* Whether the file has a line that contains text; false if it cannot be read. */
bool probe_file_contains(const char *path, const char *text);
