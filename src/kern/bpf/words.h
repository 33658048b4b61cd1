/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * A BPF program that reads the same words of each object that an iterator of the kernel visits: members of its
 * structure, and of others to which such members point.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "kern/btf.h"

#define BPF_WORDS_MAX 40

enum {
	BPF_WORD_OBJECT = -1,  /* a member of the object itself */
	BPF_WORD_CONTEXT = -2, /* what the iterator tells besides, at this offset */
};

struct bpf_word {
	int from; /* one of these, or the index of a word before, which is an address */
	const char *type, *member, *within, *part; /* part of the type `within`, if given: a member of that member */
	unsigned offset;			   /* of BPF_WORD_CONTEXT */
};

struct bpf_words {
	const char *function; /* bpf_iter_*, to which the kernel gives the object at this offset: */
	unsigned object;
	const struct bpf_word *words;
	size_t n;
	int ring; /* a map to write to (kern/bpf/ring.h), or -1: to whoever reads the iterator */
};

struct bpf_words_program {
	int program;
	size_t n;
	uint64_t there; /* bit i: this kernel has words[i] */
	struct btf_place places[BPF_WORDS_MAX];
	struct bpf_word_read {
		uint8_t from;  /* index of the number that has it: its own, or one before that was read with it */
		uint8_t shift; /* bits in that number */
		uint8_t size;  /* bytes to be read; 0: none */
		uint32_t offset;
	} reads[BPF_WORDS_MAX];
};

#define BPF_WORDS_NONE ((struct bpf_words_program){ .program = -1 })

/*
 * Loads the program. For each object it writes n numbers of 64 bits; 0 is what is not there, or behind an address that
 * is none. With a ring that is full a byte is written to whoever reads. -errno, not logged.
 */
int bpf_words_load(const struct bpf_words *words, struct bpf_words_program *ret);
void bpf_words_close(struct bpf_words_program *program);
/* Of what was written the value of one. */
uint64_t bpf_words_value(const struct bpf_words_program *program, const uint64_t *written, size_t index);
bool bpf_words_has(const struct bpf_words_program *program, size_t index);
