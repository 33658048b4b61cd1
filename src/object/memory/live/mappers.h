/* SPDX-License-Identifier: GPL-2.0-only */
/* dump --live: which pages of shared memory are written to, by whoever maps it, from some moment on. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "pages/save.h"

struct dump;
struct mapping;
struct memory_mappers;
struct task;

struct memory_mappers *memory_mappers_create(struct dump *d);
void memory_mappers_destroy(struct memory_mappers **mappers); /* accepts NULL */
/* A mapping of the object with this index, in a task that runs. */
void memory_mappers_add(struct memory_mappers *mappers, pid_t pid, const struct mapping *m, size_t object);
/*
 * Watches the mappings of these objects. What cannot be watched is written to as far as anybody knows. Fails if a task
 * does not stop for a moment.
 */
int memory_mappers_begin(struct memory_mappers *mappers, const int *objects, size_t n);

/*
 * From now on it counts anew what is written to an object. True: what was written to since this was last called is in
 * ret, places in the object, rising. False: nobody knows, all may have been.
 */
bool memory_mappers_take(struct memory_mappers *mappers, size_t object, page_range_list *ret);
/* Whether it may be true the next time. */
bool memory_mappers_know(const struct memory_mappers *mappers, size_t object);
/* By now a task may have what writes to memory unseen. */
void memory_mappers_look_again(struct memory_mappers *mappers);

/* All tasks stand still, and none has been forked for us since, nor have we mapped what they have: the first call
 * counts.
 */
void memory_mappers_check(struct memory_mappers *mappers);
/* The mappings of one are known: in those that are watched VMF(UW) is taken away. */
void memory_mappers_find(struct memory_mappers *mappers, struct task *task);
/* All tasks stand still, and all were looked at. The same as memory_mappers_take(). */
bool memory_mappers_take_last(struct memory_mappers *mappers, size_t object, page_range_list *ret);
/* The tasks run on: nothing is watched any more. */
void memory_mappers_end(struct memory_mappers *mappers);
