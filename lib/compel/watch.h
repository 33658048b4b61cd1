/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * A small process that outlives us, should we be killed while our memory is in other processes: it waits until their
 * threads have come home, and takes the memory away. If it is killed together with us the memory stays, with its mark,
 * until the next dump.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct parasite_process;
struct parasite_watch;

/* Without threads of ours yet. not_for_it: a descriptor of ours that it does not keep open; -1: none. */
int parasite_watch_start(int not_for_it, struct parasite_watch **ret);
/* Before the first memory of ours comes into a process: the other one is ready to watch. Accepts NULL; -ECHILD,
 * reported, if it has died. */
int parasite_watch_await(struct parasite_watch *watch);
/* Nothing comes into a process any more: it may end already. Accepts NULL. */
void parasite_watch_dismiss(struct parasite_watch *watch);
/* If memory of ours is still somewhere, it is taken away when we end. */
void parasite_watch_end(struct parasite_watch **watch);

/* So many bytes of the process are about to become ours. Returns a number for the other two, -1 if there is no watch
 * (NULL) or no room for more. */
int parasite_watch_add(struct parasite_watch *watch, const struct parasite_process *process, size_t size);
/* What lies at this address from now on is our memory, if it is as long as that: whether it is mapped already or not.
 */
void parasite_watch_move(struct parasite_watch *watch, int number, uint64_t address);
/*
 * It is about to have a child of our making, which dies with us and is to be forgotten then. Returns where the child's
 * number is to be written when we know it, NULL if there is no watch. Until then the kernel writes it to told_at (int)
 * in the process, 0 = nowhere, where another one, told_before, may have been left.
 */
int64_t *parasite_watch_child(struct parasite_watch *watch, int number, uint64_t told_at, int told_before);
void parasite_watch_remove(struct parasite_watch *watch, int number);
