/* SPDX-License-Identifier: LGPL-2.1-only */
/* The open files behind the mappings of a process, and its program, by a BPF iterator. */
#include "kern/proc/mapped-files.h"

#include <errno.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "kern/bpf.h"
#include "kern/bpf/words.h"

/* struct bpf_iter__task_vma { meta; task; vma; }, of which each takes 8 bytes. */
enum { AT_TASK = 8, AT_VMA = 16 };

enum word { TASK, MEMORY, PROGRAM, START, MAPPED, N_WORDS };

#define MEMBER(from, type, member)                \
	{                                         \
		from, type, member, NULL, NULL, 0 \
	}

static const struct bpf_word words[N_WORDS] = {
	[TASK] = { .from = BPF_WORD_CONTEXT, .offset = AT_TASK },
	[MEMORY] = MEMBER(TASK, "task_struct", "mm"),
	[PROGRAM] = MEMBER(MEMORY, "mm_struct", "exe_file"),
	[START] = MEMBER(BPF_WORD_OBJECT, "vm_area_struct", "vm_start"),
	[MAPPED] = MEMBER(BPF_WORD_OBJECT, "vm_area_struct", "vm_file"),
};

static int read_all(const struct bpf_words_program *program, int fd, mapped_file_list *ret)
{
	uint64_t written[400][N_WORDS]; /* the kernel has 32 KiB at a time */
	ssize_t size;

	for (;;) {
		size = read(fd, written, sizeof(written));
		if (size < 0 && (errno == EINTR || errno == EAGAIN)) /* the kernel has walked long without a result */
			continue;
		if (size <= 0)
			return size < 0 ? -errno : 0;
		for (size_t i = 0; i < (size_t)size / sizeof(*written); i++)
			*vector_push(ret) =
				(struct mapped_file){ .start = bpf_words_value(program, written[i], START),
						      .file = bpf_words_value(program, written[i], MAPPED),
						      .program = bpf_words_value(program, written[i], PROGRAM) };
	}
}

int mapped_files_read(pid_t pid, mapped_file_list *ret)
{
	static const struct bpf_words what = { "bpf_iter_task_vma", AT_VMA, words, N_WORDS, -1 };
	AUTO(bpf_words_close) struct bpf_words_program program = BPF_WORDS_NONE;
	AUTO_CLOSE int fd = -1;

	ret->n = 0;
	TRY(bpf_words_load(&what, &program));
	for (size_t i = 0; i < N_WORDS; i++)
		if (!bpf_words_has(&program, i))
			return -ENOENT;
	fd = bpf_open_iterator(program.program, pid);
	return fd < 0 ? fd : read_all(&program, fd, ret);
}
