/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a restore takes from the world outside of the images. criu verify asks every file for it after all was loaded
 * and linked (the phase `needs` of struct file_kind and struct task_part): it names what it will use with needs_add()
 * and need_feature(), and refuses what is not as it must be.
 */
#pragma once

#include "base/vector.h"
#include "kern/probe.h"
#include "session/session.h"

enum need_kind {
	NEED_OPTION,	 /* of criu restore: "--tcp-established"; whether it is given or not */
	NEED_DESCRIPTOR, /* "socket:[123]": a key for --inherit-fd that is not given */
	NEED_FILE,	 /* a path; why tells size and build id */
	NEED_RIGHTS,	 /* "root", because this user could not do it */
	NEED_PEER,	 /* somebody outside that must be there: "unix socket /run/x" */
	NEED_KINDS,
};

struct need {
	enum need_kind kind;
	const char *what, *why;
};

struct needs {
	VECTOR(struct need) list;
	unsigned unchecked;	      /* files that this user may not look at */
	bool features[FEATURE_COUNT]; /* of the kernel */
	bool other_paths;	      /* the paths are those of another mount namespace */
	bool other_addresses;	      /* the same for addresses and network namespaces */
};

/* One more need; false if it is known already: why is that of the first. The texts are copied. */
bool needs_add(const struct restore *r, enum need_kind kind, const char *what, const char *why, ...)
	__attribute__((format(printf, 4, 5)));
/*
 * What the user must give, and has not. A restore is refused with this text; criu verify notes the need, and 0 is
 * returned.
 */
int need_given(const struct restore *r, enum need_kind kind, const char *what, const char *why, const char *refusal);
/* Paths, or addresses, of the tree will be those of other namespaces than ours. Only criu verify cares. */
void need_other_paths(const struct restore *r);
void need_other_addresses(const struct restore *r);
bool needs_other_paths(const struct restore *r);
bool needs_other_addresses(const struct restore *r);
/* A file that this user may not look at. */
void need_unchecked(const struct restore *r);
/* A feature of the kernel that not every restore uses. Only criu verify cares. */
void need_feature(const struct restore *r, enum feature_id id);
/*
 * The same in `load`, `check` and `link`, for what kernels that are in use lack: a restore asks at once, so that it is
 * refused before anything is made. What cannot be found out is left to the restore itself.
 */
int need_kernel(const struct restore *r, enum feature_id id);
/* -ENOSYS, logged: this kernel lacks it. */
int needs_refuse_kernel(enum feature_id id);
