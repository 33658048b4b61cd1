/* SPDX-License-Identifier: LGPL-2.1-only */
/* The program that the kernel runs for each area, and its answers. */
#include "kern/proc/areas.h"

#include <errno.h>
#include <unistd.h>

#include "base/array.h"
#include "base/auto.h"
#include "kern/bpf.h"
#include "kern/btf.h"

#define READ_SIZE (256 * sizeof(struct area))

struct area_reader {
	int program;
};

/* --- the program --- */

#define ON_STACK (-(int)sizeof(struct area))

/* For each area: struct area is written to whoever reads. The context: meta, task, vma, of which each takes 8 bytes. */
static int load_program(uint32_t function, int start, int end, int flags, int policy)
{
	const struct bpf_insn program[] = {
		BPF_LOAD(BPF_DW, BPF_REG_6, BPF_REG_1, 0),
		BPF_LOAD(BPF_DW, BPF_REG_7, BPF_REG_1, 16),
		BPF_INSN(BPF_JMP | BPF_JEQ | BPF_K, BPF_REG_7, 0, 13, 0), /* the end */
		BPF_LOAD(BPF_DW, BPF_REG_2, BPF_REG_7, start),
		BPF_STORE(BPF_DW, BPF_REG_10, BPF_REG_2, ON_STACK),
		BPF_LOAD(BPF_DW, BPF_REG_2, BPF_REG_7, end),
		BPF_STORE(BPF_DW, BPF_REG_10, BPF_REG_2, ON_STACK + 8),
		BPF_LOAD(BPF_DW, BPF_REG_2, BPF_REG_7, flags),
		BPF_STORE(BPF_DW, BPF_REG_10, BPF_REG_2, ON_STACK + 16),
		BPF_LOAD(BPF_DW, BPF_REG_2, BPF_REG_7, policy),
		BPF_STORE(BPF_DW, BPF_REG_10, BPF_REG_2, ON_STACK + 24),
		BPF_LOAD(BPF_DW, BPF_REG_1, BPF_REG_6, 0), /* meta->seq */
		BPF_COPY(BPF_REG_2, BPF_REG_10),
		BPF_INSN(BPF_ALU64 | BPF_ADD | BPF_K, BPF_REG_2, 0, 0, ON_STACK),
		BPF_SET(BPF_REG_3, (int)sizeof(struct area)),
		BPF_CALL_HELPER(BPF_FUNC_seq_write),
		BPF_SET(BPF_REG_0, 0),
		BPF_INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
	};

	return bpf_load_iterator(function, program, ARRAY_SIZE(program));
}

struct area_reader *area_reader_create(void)
{
	struct btf_place start, end, flags, policy;
	AUTO(btf_close) struct btf *btf = NULL;
	struct area_reader *reader;
	uint32_t function;
	int program;

	if (btf_open(&btf) < 0 || btf_find_function(btf, "bpf_iter_task_vma", &function) < 0 ||
	    btf_find(btf, "vm_area_struct", "vm_start", &start) < 0 ||
	    btf_find(btf, "vm_area_struct", "vm_end", &end) < 0 ||
	    btf_find(btf, "vm_area_struct", "vm_flags", &flags) < 0)
		return NULL;
	/* A kernel without policies: what is there instead is never 0, so each area is asked for its own. */
	if (btf_find(btf, "vm_area_struct", "vm_policy", &policy) < 0)
		policy = flags;
	program = load_program(function, (int)start.offset, (int)end.offset, (int)flags.offset, (int)policy.offset);
	if (program < 0)
		return NULL;
	reader = xzalloc(sizeof(*reader));
	reader->program = program;
	return reader;
}

void area_reader_destroy(struct area_reader **reader)
{
	struct area_reader *gone = TAKE_PTR(*reader);

	if (gone)
		close(gone->program);
	free(gone);
}

/* --- reading --- */

int area_reader_read(const struct area_reader *reader, pid_t pid, uint64_t below, area_list *ret)
{
	AUTO_CLOSE int fd = bpf_open_iterator(reader->program, pid);
	struct area areas[READ_SIZE / sizeof(struct area)];

	ret->n = 0;
	if (fd < 0)
		return fd;
	for (;;) {
		ssize_t n = read(fd, areas, sizeof(areas));

		if (n < 0 && (errno == EINTR || errno == EAGAIN)) /* the kernel has walked long without a result */
			continue;
		if (n < 0 || n % (ssize_t)sizeof(*areas))
			return n < 0 ? -errno : -EIO;
		if (n == 0)
			return 0;
		for (size_t i = 0; i < (size_t)n / sizeof(*areas); i++)
			*vector_push(ret) = areas[i];
		if (ret->items[ret->n - 1].end >= below)
			return 0;
	}
}
