/* SPDX-License-Identifier: LGPL-2.1-only */
/* Who maps files: a program that is run at each fork, and iterators. */
#include "kern/bpf/mappers.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/array.h"
#include "base/auto.h"
#include "base/fail.h"
#include "base/pool.h"
#include "kern/bpf.h"

/* --- iterators --- */

/* struct bpf_iter__task { meta; task; }, struct bpf_iter__task_file { meta; task; u32 fd; file; } */
enum { AT_TASK = 8, AT_NUMBER = 16, AT_FILE = 24 };

static const struct bpf_word task_words[] = {
	{ BPF_WORD_OBJECT, "task_struct", "mm", NULL, NULL, 0 },
};

enum { NUMBER, MAPPING, WRITABLE };

static const struct bpf_word file_words[] = {
	[NUMBER] = { .from = BPF_WORD_CONTEXT, .offset = AT_NUMBER },
	[MAPPING] = { BPF_WORD_OBJECT, "file", "f_mapping", NULL, NULL, 0 },
	[WRITABLE] = { MAPPING, "address_space", "i_mmap_writable", NULL, NULL, 0 },
};

static int load_words(const char *function, unsigned object, const struct bpf_word *words, size_t n,
		      struct bpf_words_program *ret)
{
	const struct bpf_words what = { function, object, words, n, -1 };

	TRY(bpf_words_load(&what, ret));
	for (size_t i = 0; i < n; i++)
		if (!bpf_words_has(ret, i))
			return -ENOENT;
	return 0;
}

static ssize_t read_some(int fd, void *buffer, size_t size)
{
	ssize_t got;

	do
		got = read(fd, buffer, size);
	while (got < 0 && (errno == EINTR || errno == EAGAIN)); /* the kernel has walked long without a result */
	return got < 0 ? -errno : got;
}

static int read_memory(const struct bpf_words_program *tasks, pid_t pid, uint64_t *ret)
{
	uint64_t written[64];
	AUTO_CLOSE int fd = bpf_open_iterator(tasks->program, pid);
	ssize_t got;

	TRY(fd);
	got = read_some(fd, written, sizeof(written));
	TRY(got);
	*ret = got < (ssize_t)sizeof(*written) ? 0 : bpf_words_value(tasks, written, 0);
	return *ret ? 0 : -ESRCH;
}

static int read_memories(struct mappers_watch *watch, const pid_t *pids)
{
	struct bpf_words_program tasks = BPF_WORDS_NONE;
	int result = load_words("bpf_iter_task", AT_TASK, task_words, ARRAY_SIZE(task_words), &tasks);

	/* One that has gone has written nothing since. */
	for (size_t i = 0; i < watch->n && result == 0; i++) {
		result = read_memory(&tasks, pids[i], &watch->memories[i]);
		if (result == -ESRCH)
			result = 0;
	}
	bpf_words_close(&tasks);
	return result;
}

int mappers_count_writable(const struct mappers_watch *watch, int number, uint32_t *ret)
{
	uint64_t written[200][ARRAY_SIZE(file_words)];
	AUTO_CLOSE int fd = bpf_open_iterator(watch->files.program, getpid());
	ssize_t got;

	TRY(fd);
	while ((got = read_some(fd, written, sizeof(written))) > 0)
		for (size_t i = 0; i < (size_t)got / sizeof(*written); i++)
			if ((int)bpf_words_value(&watch->files, written[i], NUMBER) == number) {
				*ret = (uint32_t)bpf_words_value(&watch->files, written[i], WRITABLE);
				return 0;
			}
	return got < 0 ? (int)got : -ENOENT;
}

/* --- forks --- */

static int make_map(struct mappers_watch *watch)
{
	union bpf_attr attr = { 0 };

	attr.map_type = BPF_MAP_TYPE_HASH;
	attr.key_size = attr.value_size = sizeof(uint64_t);
	attr.max_entries = (uint32_t)watch->n;
	watch->map = bpf_call(BPF_MAP_CREATE, &attr);
	TRY(watch->map);
	for (size_t i = 0; i < watch->n; i++) {
		const uint64_t none = 0;

		attr = (union bpf_attr){ 0 };
		attr.map_fd = (uint32_t)watch->map;
		attr.key = (uintptr_t)&watch->memories[i];
		attr.value = (uintptr_t)&none;
		TRY(bpf_call(BPF_MAP_UPDATE_ELEM, &attr));
	}
	return 0;
}

#define READ_MEMORY(to, task, at)                                                                    \
	BPF_COPY(BPF_REG_1, BPF_REG_10), BPF_INSN(BPF_ALU64 | BPF_ADD | BPF_K, BPF_REG_1, 0, 0, to), \
		BPF_SET(BPF_REG_2, sizeof(uint64_t)), BPF_LOAD(BPF_DW, BPF_REG_3, BPF_REG_6, task),  \
		BPF_INSN(BPF_ALU64 | BPF_ADD | BPF_K, BPF_REG_3, 0, 0, at),                          \
		BPF_CALL_HELPER(BPF_FUNC_probe_read_kernel), BPF_LOAD(BPF_DW, BPF_REG_7, BPF_REG_10, to)

/* At sched_process_fork(parent, child): counts those whose memory is a copy of the parent's, and neither thread nor
 * vfork(2). */
static int attach_counter(const struct mappers_watch *watch, int memory_at)
{
	const struct bpf_insn code[] = {
		BPF_COPY(BPF_REG_6, BPF_REG_1),
		READ_MEMORY(-16, 8, memory_at), /* of the child */
		BPF_COPY(BPF_REG_8, BPF_REG_7),
		READ_MEMORY(-8, 0, memory_at), /* of the parent */
		BPF_INSN(BPF_JMP | BPF_JEQ | BPF_X, BPF_REG_7, BPF_REG_8, 8, 0),
		BPF_LD_MAP(BPF_REG_1, watch->map),
		BPF_COPY(BPF_REG_2, BPF_REG_10),
		BPF_INSN(BPF_ALU64 | BPF_ADD | BPF_K, BPF_REG_2, 0, 0, -8),
		BPF_CALL_HELPER(BPF_FUNC_map_lookup_elem),
		BPF_INSN(BPF_JMP | BPF_JEQ | BPF_K, BPF_REG_0, 0, 2, 0),
		BPF_SET(BPF_REG_1, 1),
		BPF_INSN(BPF_STX | BPF_ATOMIC | BPF_DW, BPF_REG_0, BPF_REG_1, 0, BPF_ADD),
		BPF_SET(BPF_REG_0, 0),
		BPF_INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
	};
	union bpf_attr attr = { 0 };
	AUTO_CLOSE int program = -1; /* the link has it */

	attr.prog_type = BPF_PROG_TYPE_RAW_TRACEPOINT;
	program = bpf_load(&attr, code, ARRAY_SIZE(code));
	TRY(program);
	attr = (union bpf_attr){ 0 };
	attr.raw_tracepoint.name = (uintptr_t) "sched_process_fork";
	attr.raw_tracepoint.prog_fd = (uint32_t)program;
	return bpf_call(BPF_RAW_TRACEPOINT_OPEN, &attr);
}

/* --- to open and close --- */

int mappers_watch_open(struct mappers_watch *watch, const pid_t *pids, size_t n)
{
	AUTO(btf_close) struct btf *btf = NULL;
	struct btf_place memory;

	*watch = MAPPERS_NONE;
	watch->n = n;
	watch->memories = xzalloc(n * sizeof(*watch->memories));
	TRY(btf_open(&btf));
	TRY(btf_find(btf, "task_struct", "mm", &memory));
	btf_close(&btf);
	TRY(load_words("bpf_iter_task_file", AT_FILE, file_words, ARRAY_SIZE(file_words), &watch->files));
	TRY(read_memories(watch, pids));
	TRY(make_map(watch));
	watch->link = attach_counter(watch, (int)memory.offset);
	return watch->link < 0 ? watch->link : 0;
}

int mappers_watch_forks(const struct mappers_watch *watch, size_t index, uint64_t *ret)
{
	union bpf_attr attr = { 0 };

	attr.map_fd = (uint32_t)watch->map;
	attr.key = (uintptr_t)&watch->memories[index];
	attr.value = (uintptr_t)ret;
	return bpf_call(BPF_MAP_LOOKUP_ELEM, &attr);
}

void mappers_watch_close(struct mappers_watch *watch)
{
	if (watch->link >= 0)
		close(watch->link);
	if (watch->map >= 0)
		close(watch->map);
	bpf_words_close(&watch->files);
	free(watch->memories);
	*watch = MAPPERS_NONE;
}
