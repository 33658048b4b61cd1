/* SPDX-License-Identifier: LGPL-2.1-only */
/* BPF programs that read words of objects. */
#include "kern/bpf/words.h"

#include <errno.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "kern/bpf.h"

/* R6 is what it writes to, R7 the object, R8 the context; what it writes lies at the end of the stack. */
struct words_code {
	struct bpf_insn code[32 + 8 * BPF_WORDS_MAX];
	unsigned n;
	int size;
};

static void add_code(struct words_code *to, struct bpf_insn instruction)
{
	to->code[to->n++] = instruction;
}

static void add_number(struct words_code *to, uint8_t reg, int64_t number)
{
	add_code(to, BPF_INSN(BPF_ALU64 | BPF_ADD | BPF_K, reg, 0, 0, number));
}

static int place_of(const struct words_code *code, size_t index)
{
	return (int)(index * sizeof(uint64_t)) - code->size;
}

/* What cannot be read is zero then. */
static void read_word(struct words_code *to, const struct bpf_word *word, const struct bpf_word_read *reads,
		      size_t index)
{
	const struct bpf_word_read *read = &reads[index];
	const int at = place_of(to, index);

	add_code(to, BPF_INSN(BPF_ST | BPF_MEM | BPF_DW, BPF_REG_10, 0, at, 0));
	if (!read->size)
		return;
	if (word->from == BPF_WORD_CONTEXT) {
		add_code(to, BPF_LOAD(BPF_DW, BPF_REG_1, BPF_REG_8, word->offset));
		/* An address is one to count on only if it was looked at. */
		add_code(to, BPF_INSN(BPF_JMP | BPF_JNE | BPF_K, BPF_REG_1, 0, 1, 0));
		add_code(to, BPF_SET(BPF_REG_1, 0));
		add_code(to, BPF_STORE(BPF_DW, BPF_REG_10, BPF_REG_1, at));
		return;
	}
	if (word->from == BPF_WORD_OBJECT)
		add_code(to, BPF_COPY(BPF_REG_3, BPF_REG_7));
	else
		add_code(to, BPF_LOAD(BPF_DW, BPF_REG_3, BPF_REG_10, place_of(to, reads[word->from].from)));
	add_number(to, BPF_REG_3, read->offset);
	add_code(to, BPF_COPY(BPF_REG_1, BPF_REG_10));
	add_number(to, BPF_REG_1, at);
	add_code(to, BPF_SET(BPF_REG_2, read->size));
	add_code(to, BPF_CALL_HELPER(BPF_FUNC_probe_read_kernel));
}

static void write_to_reader(struct words_code *to, int size)
{
	add_code(to, BPF_LOAD(BPF_DW, BPF_REG_1, BPF_REG_6, 0)); /* meta->seq */
	add_code(to, BPF_COPY(BPF_REG_2, BPF_REG_10));
	add_number(to, BPF_REG_2, place_of(to, 0));
	add_code(to, BPF_SET(BPF_REG_3, size));
	add_code(to, BPF_CALL_HELPER(BPF_FUNC_seq_write));
}

/* Returns where it goes on if the ring has taken it. */
static unsigned write_to_ring(struct words_code *to, int map)
{
	const struct bpf_insn address[] = { BPF_LD_MAP(BPF_REG_1, map) };

	add_code(to, address[0]);
	add_code(to, address[1]);
	add_code(to, BPF_COPY(BPF_REG_2, BPF_REG_10));
	add_number(to, BPF_REG_2, place_of(to, 0));
	add_code(to, BPF_SET(BPF_REG_3, to->size));
	add_code(to, BPF_SET(BPF_REG_4, BPF_RB_NO_WAKEUP));
	add_code(to, BPF_CALL_HELPER(BPF_FUNC_ringbuf_output));
	add_code(to, BPF_INSN(BPF_JMP | BPF_JEQ | BPF_K, BPF_REG_0, 0, 0, 0));
	return to->n - 1;
}

static void jump_here(struct words_code *to, unsigned from)
{
	to->code[from].off = (int16_t)(to->n - from - 1);
}

static void write_program(const struct bpf_words *words, const struct bpf_word_read *reads, struct words_code *to)
{
	unsigned end_of_all, taken = 0;

	to->size = (int)(words->n * sizeof(uint64_t));
	add_code(to, BPF_COPY(BPF_REG_8, BPF_REG_1));
	add_code(to, BPF_LOAD(BPF_DW, BPF_REG_6, BPF_REG_8, 0));
	add_code(to, BPF_LOAD(BPF_DW, BPF_REG_7, BPF_REG_8, words->object));
	end_of_all = to->n;
	add_code(to, BPF_INSN(BPF_JMP | BPF_JEQ | BPF_K, BPF_REG_7, 0, 0, 0));
	for (size_t i = 0; i < words->n; i++)
		read_word(to, &words->words[i], reads, i);
	if (words->ring >= 0)
		taken = write_to_ring(to, words->ring);
	write_to_reader(to, words->ring >= 0 ? 1 : to->size);
	if (taken)
		jump_here(to, taken);
	jump_here(to, end_of_all);
	add_code(to, BPF_SET(BPF_REG_0, 0));
	add_code(to, BPF_INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0));
}

/* Of no size: this kernel has it not, or it is no number. */
static struct btf_place find_word(struct btf *btf, const struct bpf_word *word)
{
	struct btf_place place = { .size = sizeof(uint64_t) }, part;

	if (word->from == BPF_WORD_CONTEXT)
		return place;
	if (btf_find(btf, word->type, word->member, &place) < 0)
		return (struct btf_place){ 0 };
	if (word->part) {
		if (btf_find(btf, word->within, word->part, &part) < 0)
			return (struct btf_place){ 0 };
		part.offset += place.offset;
		place = part;
	}
	return place.size <= sizeof(uint64_t) ? place : (struct btf_place){ 0 };
}

/* Members that lie side by side are read at once: eight bytes, as they are aligned. */
static void choose_read(const struct bpf_words *words, struct bpf_words_program *program, size_t index)
{
	const struct btf_place *place = &program->places[index];
	const uint32_t aligned = place->offset / 8 * 8;
	struct bpf_word_read *read = &program->reads[index];

	*read = (struct bpf_word_read){ .from = (uint8_t)index, .size = (uint8_t)place->size, .offset = place->offset };
	if (words->words[index].from == BPF_WORD_CONTEXT || !place->size || place->offset + place->size > aligned + 8)
		return;
	read->offset = aligned;
	read->size = 8;
	read->shift = (uint8_t)(8 * (place->offset - aligned));
	for (size_t i = 0; i < index; i++)
		if (words->words[i].from == words->words[index].from && program->reads[i].size == 8 &&
		    program->reads[i].offset == aligned) {
			read->from = (uint8_t)i;
			read->size = 0;
			return;
		}
}

int bpf_words_load(const struct bpf_words *words, struct bpf_words_program *ret)
{
	AUTO(btf_close) struct btf *btf = NULL;
	struct words_code code = { 0 };
	uint32_t function;

	*ret = BPF_WORDS_NONE;
	if (words->n > BPF_WORDS_MAX)
		return -E2BIG;
	TRY(btf_open(&btf));
	TRY(btf_find_function(btf, words->function, &function));
	ret->n = words->n;
	for (size_t i = 0; i < words->n; i++) {
		ret->places[i] = find_word(btf, &words->words[i]);
		ret->there |= (uint64_t)(ret->places[i].size != 0) << i;
		choose_read(words, ret, i);
	}
	write_program(words, ret->reads, &code);
	ret->program = bpf_load_iterator(function, code.code, code.n);
	return ret->program < 0 ? ret->program : 0;
}

void bpf_words_close(struct bpf_words_program *program)
{
	if (program->program >= 0)
		close(program->program);
	*program = BPF_WORDS_NONE;
}

uint64_t bpf_words_value(const struct bpf_words_program *program, const uint64_t *written, size_t index)
{
	const struct btf_place *place = &program->places[index];
	const struct bpf_word_read *read = &program->reads[index];
	const unsigned bits = place->bits ? place->bits : 8 * place->size;
	const uint64_t value = written[read->from] >> (read->shift + place->shift);

	return bits && bits < 64 ? value & ((1ull << bits) - 1) : value;
}

bool bpf_words_has(const struct bpf_words_program *program, size_t index)
{
	return program->there >> index & 1;
}
