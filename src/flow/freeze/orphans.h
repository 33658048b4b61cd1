/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Who reaps the orphans of a tree that is killed. Should its root not be the first process of its pid namespace, and
 * that one reap nobody (a program in a container without an init), every task but the root would be a zombie for ever,
 * and its pid taken. So the root gets them, at the price of three kinds of system calls in it: all but the root are
 * killed, it reaps them, and then dies.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct dump;
struct mappings;
struct orphans;
struct parasite_cache;
struct parasite_process;

/* Of a root with this number in its pid namespace. proc: its /proc/PID. */
bool orphans_may_stay(int proc, pid_t own_pid);

/* The root is stopped; mem of it is opened here, place is found. n: tasks that may become orphans. */
int orphans_take(const struct parasite_process *root, const struct mappings *mappings, struct parasite_cache *cache,
		 size_t n, struct orphans **ret);
/* The same in a dump. NULL if it is not needed, or not possible (logged). */
struct orphans *orphans_take_in_dump(struct dump *d);
/*
 * All but the root have got SIGKILL: from now on it ignores SIGCHLD, so that the kernel reaps them itself. Otherwise
 * each one that is an orphan is reaped by a call.
 */
void orphans_ignore(const struct orphans *orphans);
/* All but the root are dead, and none is traced any more. */
void orphans_reap(struct orphans **orphans);
