/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Who maps files: whether processes were forked by those that do, and how many mappings there are through which a file
 * can be written to. BPF programs tell; it wants CAP_BPF and CAP_PERFMON and a kernel with BTF: who uses it has another
 * way.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "kern/bpf/words.h"

struct mappers_watch {
	int map;  /* of each memory (struct mm_struct) that is watched: how often it was forked */
	int link; /* the program that counts, at its place */
	struct bpf_words_program files;
	size_t n;
	uint64_t *memories; /* of each process */
};

#define MAPPERS_NONE ((struct mappers_watch){ .map = -1, .link = -1, .files = BPF_WORDS_NONE })

/* Of these processes. From now on, until it is closed or criu ends. -errno, not logged; it is to be closed then, too.
 */
int mappers_watch_open(struct mappers_watch *watch, const pid_t *pids, size_t n);
/* How often the memory of a process was forked since: what this index has in pids. -errno, not logged. */
int mappers_watch_forks(const struct mappers_watch *watch, size_t index, uint64_t *ret);
/* How many shared mappings there are, of all processes, through which the file of this descriptor of ours can be
 * written to. -errno, not logged. */
int mappers_count_writable(const struct mappers_watch *watch, int fd, uint32_t *ret);
void mappers_watch_close(struct mappers_watch *watch);
