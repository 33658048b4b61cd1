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

static void read_context(struct words_code *to, const struct bpf_word *word, int at)
{
	add_code(to, BPF_LOAD(BPF_DW, BPF_REG_1, BPF_REG_8, word->offset));
	/* An address is one to count on only if it was looked at. */
	add_code(to, BPF_INSN(BPF_JMP | BPF_JNE | BPF_K, BPF_REG_1, 0, 1, 0));
	add_code(to, BPF_SET(BPF_REG_1, 0));
	add_code(to, BPF_STORE(BPF_DW, BPF_REG_10, BPF_REG_1, at));
}

/* What cannot be read is zero then. */
static void read_memory(struct words_code *to, const struct bpf_word_read *reads, int from, uint32_t offset,
			uint32_t size, int at)
{
	if (from == BPF_WORD_OBJECT)
		add_code(to, BPF_COPY(BPF_REG_3, BPF_REG_7));
	else
		add_code(to, BPF_LOAD(BPF_DW, BPF_REG_3, BPF_REG_10, place_of(to, reads[from].from)));
	add_number(to, BPF_REG_3, offset);
	add_code(to, BPF_COPY(BPF_REG_1, BPF_REG_10));
	add_number(to, BPF_REG_1, at);
	add_code(to, BPF_SET(BPF_REG_2, (int)size));
	add_code(to, BPF_CALL_HELPER(BPF_FUNC_probe_read_kernel));
}

/* --- spans: what lies close together in one object takes one call, which is what costs time --- */

#define STACK_SIZE  512
#define SPAN_GAP    64 /* bytes between two members; more may be in another line of the cache */
#define SPAN_ENOUGH 2  /* members */

struct words_span {
	uint64_t members; /* bit i: reads[i] */
	unsigned n;
	uint32_t start, end;
};

static bool can_join(const struct words_code *code, const struct words_span *span, const struct bpf_word_read *read)
{
	const uint32_t start = read->offset < span->start ? read->offset : span->start;
	const uint32_t end = read->offset + 8 > span->end ? read->offset + 8 : span->end;

	return read->size == 8 && read->offset <= span->end + SPAN_GAP && read->offset + 8 + SPAN_GAP >= span->start &&
	       end - start <= (uint32_t)(STACK_SIZE - code->size);
}

static void add_to_span(struct words_span *span, const struct bpf_word_read *read, size_t index)
{
	span->members |= 1ull << index;
	span->n++;
	span->start = read->offset < span->start ? read->offset : span->start;
	span->end = read->offset + 8 > span->end ? read->offset + 8 : span->end;
}

/* Of the object of the first one, all that are near to each other. */
static struct words_span find_span(const struct words_code *code, const struct bpf_words *words,
				   const struct bpf_word_read *reads, uint64_t done, size_t first)
{
	struct words_span span = { .start = reads[first].offset, .end = reads[first].offset + reads[first].size };
	unsigned before;

	add_to_span(&span, &reads[first], first);
	if (reads[first].size != 8)
		return span;
	do {
		before = span.n;
		for (size_t i = first + 1; i < words->n; i++)
			if (!((span.members | done) >> i & 1) && words->words[i].from == words->words[first].from &&
			    can_join(code, &span, &reads[i]))
				add_to_span(&span, &reads[i], i);
	} while (span.n > before);
	return span;
}

/* It is read to below what is written, and each member is copied to its place. */
static void read_span(struct words_code *to, const struct bpf_words *words, const struct bpf_word_read *reads,
		      size_t first, const struct words_span *span)
{
	const int at = -to->size - (int)(span->end - span->start);

	read_memory(to, reads, words->words[first].from, span->start, span->end - span->start, at);
	for (size_t i = first; i < words->n; i++) {
		if (!(span->members >> i & 1))
			continue;
		add_code(to, BPF_LOAD(BPF_DW, BPF_REG_1, BPF_REG_10, at + (int)(reads[i].offset - span->start)));
		add_code(to, BPF_STORE(BPF_DW, BPF_REG_10, BPF_REG_1, place_of(to, i)));
	}
}

static void read_words(struct words_code *to, const struct bpf_words *words, const struct bpf_word_read *reads)
{
	uint64_t done = 0;

	for (size_t i = 0; i < words->n; i++) {
		const struct bpf_word *word = &words->words[i];
		struct words_span span;

		if (done >> i & 1)
			continue;
		add_code(to, BPF_INSN(BPF_ST | BPF_MEM | BPF_DW, BPF_REG_10, 0, place_of(to, i), 0));
		if (!reads[i].size)
			continue;
		if (word->from == BPF_WORD_CONTEXT) {
			read_context(to, word, place_of(to, i));
			continue;
		}
		span = find_span(to, words, reads, done, i);
		if (span.n < SPAN_ENOUGH)
			read_memory(to, reads, word->from, reads[i].offset, reads[i].size, place_of(to, i));
		else
			read_span(to, words, reads, i, &span);
		done |= span.members;
	}
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
	read_words(to, words, reads);
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
