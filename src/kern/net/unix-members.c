/* SPDX-License-Identifier: LGPL-2.1-only */
/* The program that the kernel runs for each unix socket, and its answers. */
#include "kern/net/unix-members.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "kern/bpf-ring.h"
#include "kern/bpf.h"
#include "kern/btf.h"

struct places {
	struct btf_place members[UNIX_MEMBERS_MAX]; /* from the beginning of struct unix_sock; of no size: not there */
	struct btf_place socket, inode, number;
	uint32_t function;
};

static bool find_member(struct btf *btf, const struct unix_member *member, struct btf_place *ret)
{
	struct btf_place sock = { 0 }, part;

	if (!strcmp(member->of, "sock") && btf_find(btf, "unix_sock", "sk", &sock) < 0)
		return false;
	if (btf_find(btf, member->of, member->member, ret) < 0)
		return false;
	if (member->part) {
		if (btf_find(btf, member->type, member->part, &part) < 0)
			return false;
		part.offset += ret->offset;
		*ret = part;
	}
	ret->offset += sock.offset;
	return ret->size && ret->size <= sizeof(uint64_t);
}

static int find_places(const struct unix_member *members, size_t n, struct places *places)
{
	AUTO(btf_close) struct btf *btf = NULL;

	TRY(btf_open(&btf));
	if (!find_member(btf, &(struct unix_member){ "sock", "sk_socket", NULL, NULL }, &places->socket))
		return -ENOENT;
	TRY(btf_find(btf, "socket_alloc", "vfs_inode", &places->inode));
	TRY(btf_find(btf, "inode", "i_ino", &places->number));
	if (places->number.size != sizeof(uint64_t))
		return -ENOENT;
	for (size_t i = 0; i < n; i++)
		if (!find_member(btf, &members[i], &places->members[i]))
			places->members[i].size = 0;
	return btf_find_function(btf, "bpf_iter_unix", &places->function);
}

/* --- the program: R6 is what it writes to, R7 the socket; its answer lies on the stack --- */

struct member_program {
	struct bpf_insn code[32 + 8 * UNIX_MEMBERS_MAX];
	unsigned n;
	int answer; /* where it begins, below R10 */
};

#define ADD(program, instruction) ((program)->code[(program)->n++] = (instruction))

/* Copies from the address in R3. */
static void read_part(struct member_program *program, uint32_t size, size_t index)
{
	ADD(program, BPF_COPY(BPF_REG_1, BPF_REG_10));
	ADD(program,
	    BPF_INSN(BPF_ALU64 | BPF_ADD | BPF_K, BPF_REG_1, 0, 0, program->answer + (int)(index * sizeof(uint64_t))));
	ADD(program, BPF_SET(BPF_REG_2, size));
	ADD(program, BPF_CALL_HELPER(BPF_FUNC_probe_read_kernel));
}

static void read_member(struct member_program *program, const struct btf_place *place, size_t index)
{
	const int at = program->answer + (int)(index * sizeof(uint64_t));

	ADD(program, BPF_INSN(BPF_ST | BPF_MEM | BPF_DW, BPF_REG_10, 0, at, 0));
	if (!place->size)
		return;
	ADD(program, BPF_COPY(BPF_REG_3, BPF_REG_7));
	ADD(program, BPF_INSN(BPF_ALU64 | BPF_ADD | BPF_K, BPF_REG_3, 0, 0, place->offset));
	read_part(program, place->size, index);
}

/* Its inode lies behind the struct socket, which nobody has who waits for accept(2). Returns where to say that. */
static unsigned read_number(struct member_program *program, const struct places *places)
{
	unsigned nobody;

	read_member(program, &places->socket, 0);
	ADD(program, BPF_LOAD(BPF_DW, BPF_REG_3, BPF_REG_10, program->answer));
	nobody = program->n;
	ADD(program, BPF_INSN(BPF_JMP | BPF_JEQ | BPF_K, BPF_REG_3, 0, 0, 0));
	ADD(program,
	    BPF_INSN(BPF_ALU64 | BPF_ADD | BPF_K, BPF_REG_3, 0, 0, places->inode.offset + places->number.offset));
	read_part(program, sizeof(uint64_t), 0);
	return nobody;
}

static void point_to_answer(struct member_program *program, uint8_t to)
{
	ADD(program, BPF_COPY(to, BPF_REG_10));
	ADD(program, BPF_INSN(BPF_ALU64 | BPF_ADD | BPF_K, to, 0, 0, program->answer));
}

static void jump_to_end(struct member_program *program, unsigned from)
{
	program->code[from].off = (int16_t)(program->n - from - 1);
}

/*
 * The context: meta, socket, uid, of which each takes 8 bytes. Answers go into a ring: for each read(2) the kernel
 * would begin at another list of its table, and forget the rest of the last one. What is read tells that the ring is
 * full.
 */
static int load_program(const struct places *places, size_t n, const struct bpf_ring *ring)
{
	const struct bpf_insn address[] = { BPF_LD_MAP(BPF_REG_1, ring->map) };
	const int size = (int)((n + 1) * sizeof(uint64_t));
	struct member_program program = { .answer = -size };
	unsigned end_of_all, nobody, fitting;

	ADD(&program, BPF_LOAD(BPF_DW, BPF_REG_6, BPF_REG_1, 0));
	ADD(&program, BPF_LOAD(BPF_DW, BPF_REG_7, BPF_REG_1, 8));
	end_of_all = program.n;
	ADD(&program, BPF_INSN(BPF_JMP | BPF_JEQ | BPF_K, BPF_REG_7, 0, 0, 0));
	nobody = read_number(&program, places);
	for (size_t i = 0; i < n; i++)
		read_member(&program, &places->members[i], i + 1);
	ADD(&program, address[0]);
	ADD(&program, address[1]);
	point_to_answer(&program, BPF_REG_2);
	ADD(&program, BPF_SET(BPF_REG_3, size));
	ADD(&program, BPF_SET(BPF_REG_4, BPF_RB_NO_WAKEUP));
	ADD(&program, BPF_CALL_HELPER(BPF_FUNC_ringbuf_output));
	fitting = program.n;
	ADD(&program, BPF_INSN(BPF_JMP | BPF_JEQ | BPF_K, BPF_REG_0, 0, 0, 0));
	ADD(&program, BPF_LOAD(BPF_DW, BPF_REG_1, BPF_REG_6, 0)); /* meta->seq */
	point_to_answer(&program, BPF_REG_2);
	ADD(&program, BPF_SET(BPF_REG_3, 1));
	ADD(&program, BPF_CALL_HELPER(BPF_FUNC_seq_write));
	jump_to_end(&program, end_of_all);
	jump_to_end(&program, nobody);
	jump_to_end(&program, fitting);
	ADD(&program, BPF_SET(BPF_REG_0, 0));
	ADD(&program, BPF_INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0));
	return bpf_load_iterator(places->function, program.code, program.n);
}

/* --- its answers --- */

static uint64_t bits_of(const struct btf_place *place, uint64_t value)
{
	return place->bits ? value >> place->shift & ((1ull << place->bits) - 1) : value;
}

static void add_socket(const struct places *places, const uint64_t *answer, size_t n, unix_members_list *ret)
{
	struct unix_members *socket = vector_push(ret);

	*socket = (struct unix_members){ .ino = answer[0] };
	for (size_t i = 0; i < n; i++)
		socket->values[i] = bits_of(&places->members[i], answer[i + 1]);
}

/* -ENOSPC: they do not fit into the ring. */
static int walk_all(int fd)
{
	char full;

	for (;;) {
		ssize_t got = read(fd, &full, sizeof(full));

		if (got < 0 && (errno == EINTR || errno == EAGAIN)) /* the kernel has walked long without a result */
			continue;
		return got < 0 ? -errno : got ? -ENOSPC : 0;
	}
}

static int read_all(const struct places *places, size_t n, size_t room, unix_members_list *ret)
{
	AUTO(bpf_ring_close) struct bpf_ring ring = BPF_RING_NONE;
	AUTO_CLOSE int program = -1, fd = -1;
	const void *answer;
	size_t size;

	TRY(bpf_ring_open(&ring, room));
	program = load_program(places, n, &ring);
	if (program < 0)
		return program;
	fd = bpf_open_iterator(program, 0);
	if (fd < 0)
		return fd;
	TRY(walk_all(fd));
	while ((answer = bpf_ring_next(&ring, &size)))
		add_socket(places, answer, n, ret);
	return 0;
}

#define ROOM_MIN (512u << 10) /* for 2000 sockets */
#define ROOM_MAX (128u << 20)

int unix_members_read(const struct unix_member *members, size_t n, uint32_t *ret_there, unix_members_list *ret)
{
	struct places places = { 0 };
	int result;

	TRY(find_places(members, n, &places));
	*ret_there = 0;
	for (size_t i = 0; i < n; i++)
		*ret_there |= (uint32_t)(places.members[i].size != 0) << i;
	for (size_t room = ROOM_MIN; room <= ROOM_MAX; room *= 4) {
		result = read_all(&places, n, room, ret);
		if (result != -ENOSPC)
			return result;
	}
	return result;
}
