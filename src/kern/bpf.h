/* SPDX-License-Identifier: LGPL-2.1-only */
/* bpf(2): programs that the kernel runs for us, and what they write for each object of a kind (BPF iterators). */
#pragma once

#include <linux/bpf.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* All return -errno, and log nothing. */
int bpf_call(int command, union bpf_attr *attr);
/* The kernel gives the helpers that ours need to programs under the GPL only, as which the LGPL lets itself be used. */
int bpf_load(union bpf_attr *attr, const struct bpf_insn *program, size_t n);
/* A program that is called where the kernel calls this function for each object (btf_find_function()). */
int bpf_load_iterator(uint32_t function, const struct bpf_insn *program, size_t n);
/* A descriptor from which all can be read that it writes: about one process (Linux 6.1), or about all: 0. */
int bpf_open_iterator(int program, pid_t pid);

/* Instructions: where to, where from, offset and number as far as they have them. */
#define BPF_INSN(op, to, from, offset, number)        \
	((struct bpf_insn){ .code = (op),             \
			    .dst_reg = (to),          \
			    .src_reg = (from),        \
			    .off = (int16_t)(offset), \
			    .imm = (int32_t)(number) })
#define BPF_LOAD(size, to, from, offset)  BPF_INSN(BPF_LDX | BPF_MEM | (size), to, from, offset, 0)
#define BPF_STORE(size, to, from, offset) BPF_INSN(BPF_STX | BPF_MEM | (size), to, from, offset, 0)
#define BPF_COPY(to, from)		  BPF_INSN(BPF_ALU64 | BPF_MOV | BPF_X, to, from, 0, 0)
#define BPF_SET(to, number)		  BPF_INSN(BPF_ALU64 | BPF_MOV | BPF_K, to, 0, 0, number)
#define BPF_CALL_HELPER(function)	  BPF_INSN(BPF_JMP | BPF_CALL, 0, 0, 0, function)
/* The address of a map, in two instructions. */
#define BPF_LD_MAP(to, map) BPF_INSN(BPF_LD | BPF_DW | BPF_IMM, to, BPF_PSEUDO_MAP_FD, 0, map), BPF_INSN(0, 0, 0, 0, 0)
