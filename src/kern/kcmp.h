/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Which tasks share a kernel object: kcmp(2) orders the objects of one type, so a search tree finds equal ones in few
 * calls. A hint keeps objects apart that are known to differ, without a call.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <linux/kcmp.h>

struct kcmp_tree;

struct kcmp_tree *kcmp_tree_create(enum kcmp_type type);
void kcmp_tree_destroy(struct kcmp_tree **tree);

/*
 * The number of the object that pid (and idx: the descriptor for KCMP_FILE, else 0) refers to, counted from 1.
 * hint must be equal whenever the object is the same: of dev, inode and position of a file for instance; 0 if nothing
 * is known. If the tasks run, what they have closed since is a different object. Returns 0 or -errno (reported, but for
 * -EBADF: idx itself is closed).
 */
int kcmp_id(struct kcmp_tree *tree, pid_t pid, unsigned long idx, uint64_t hint, uint32_t *ret_id, bool *ret_is_new);

/* 0: same, 1 or 2: different and ordered, -errno (not reported). */
int kcmp_compare(enum kcmp_type type, pid_t pid1, unsigned long idx1, pid_t pid2, unsigned long idx2);

/* Is fd of pid what the epoll target (number tfd, the toff-th of that number) of epfd watches? 1, 0 or -errno. */
int kcmp_epoll_target(pid_t pid, int fd, pid_t epoll_pid, int epfd, int tfd, unsigned toff);
