/* SPDX-License-Identifier: LGPL-2.1-only */
/* Reading the kernel's own memory. */
#include "kern/peek.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/array.h"
#include "base/auto.h"
#include "base/pool.h"
#include "kern/bpf.h"

#define CHUNK 2048

/* The one element of a map, which the program and we share. */
struct peek_exchange {
	uint64_t address; /* 0: where is the current task? */
	uint64_t size;
	int64_t result;
	uint8_t data[CHUNK];
};

struct peek {
	int map, program;
	size_t length;
	struct peek_exchange *exchange;
};

static int make_map(struct peek *peek)
{
	union bpf_attr attr = { .map_type = BPF_MAP_TYPE_ARRAY,
				.key_size = sizeof(uint32_t),
				.value_size = sizeof(struct peek_exchange),
				.max_entries = 1,
				.map_flags = BPF_F_MMAPABLE };
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	void *at;

	peek->map = bpf_call(BPF_MAP_CREATE, &attr);
	if (peek->map < 0)
		return peek->map;
	peek->length = (sizeof(struct peek_exchange) + page - 1) / page * page;
	at = mmap(NULL, peek->length, PROT_READ | PROT_WRITE, MAP_SHARED, peek->map, 0);
	if (at == MAP_FAILED)
		return -errno;
	peek->exchange = at;
	return 0;
}

#define INSN(op, to, from, offset, number)                                                         \
	{                                                                                          \
		.code = (op), .dst_reg = (to), .src_reg = (from), .off = (offset), .imm = (number) \
	}
#define LOAD(to, from, member) INSN(BPF_LDX | BPF_MEM | BPF_DW, to, from, offsetof(struct peek_exchange, member), 0)
#define CALL(function)	       INSN(BPF_JMP | BPF_CALL, 0, 0, 0, function)

static int load_program(struct peek *peek)
{
	const struct bpf_insn program[] = {
		INSN(BPF_LD | BPF_IMM | BPF_DW, BPF_REG_6, BPF_PSEUDO_MAP_VALUE, 0, peek->map),
		INSN(0, 0, 0, 0, 0),
		LOAD(BPF_REG_3, BPF_REG_6, address),
		INSN(BPF_JMP | BPF_JNE | BPF_K, BPF_REG_3, 0, 2, 0),
		CALL(BPF_FUNC_get_current_task),
		INSN(BPF_JMP | BPF_JA, 0, 0, 5, 0),
		LOAD(BPF_REG_2, BPF_REG_6, size),
		INSN(BPF_JMP | BPF_JGT | BPF_K, BPF_REG_2, 0, 4, CHUNK),
		INSN(BPF_ALU64 | BPF_MOV | BPF_X, BPF_REG_1, BPF_REG_6, 0, 0),
		INSN(BPF_ALU64 | BPF_ADD | BPF_K, BPF_REG_1, 0, 0, offsetof(struct peek_exchange, data)),
		CALL(BPF_FUNC_probe_read_kernel),
		INSN(BPF_STX | BPF_MEM | BPF_DW, BPF_REG_6, BPF_REG_0, offsetof(struct peek_exchange, result), 0),
		INSN(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, 0),
		INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
	};
	union bpf_attr attr = { .prog_type = BPF_PROG_TYPE_SYSCALL, .prog_flags = BPF_F_SLEEPABLE };

	peek->program = bpf_load(&attr, program, ARRAY_SIZE(program));
	return peek->program < 0 ? peek->program : 0;
}

int peek_open(struct peek **ret)
{
	AUTO(peek_close) struct peek *peek = xzalloc(sizeof(*peek));
	int error;

	peek->map = peek->program = -1;
	error = make_map(peek);
	if (error == 0)
		error = load_program(peek);
	if (error < 0)
		return error;
	*ret = TAKE_PTR(peek);
	return 0;
}

void peek_close(struct peek **peek)
{
	if (!*peek)
		return;
	if ((*peek)->exchange)
		munmap((*peek)->exchange, (*peek)->length);
	if ((*peek)->program >= 0)
		close((*peek)->program);
	if ((*peek)->map >= 0)
		close((*peek)->map);
	free(*peek);
	*peek = NULL;
}

static int run_program(struct peek *peek)
{
	union bpf_attr attr = { .test.prog_fd = (uint32_t)peek->program };

	peek->exchange->result = -EFAULT;
	return bpf_call(BPF_PROG_TEST_RUN, &attr);
}

int peek_read(struct peek *peek, uint64_t address, void *to, size_t size)
{
	for (size_t done = 0, now; done < size; done += now) {
		int error;

		now = size - done < CHUNK ? size - done : CHUNK;
		peek->exchange->address = address + done;
		peek->exchange->size = now;
		error = run_program(peek);
		if (error < 0)
			return error;
		if (!(address + done) || peek->exchange->result)
			return -EFAULT;
		memcpy((uint8_t *)to + done, peek->exchange->data, now);
	}
	return 0;
}

uint64_t peek_current(struct peek *peek)
{
	peek->exchange->address = 0;
	return run_program(peek) < 0 ? 0 : (uint64_t)peek->exchange->result;
}
