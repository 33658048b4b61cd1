// SPDX-License-Identifier: GPL-2.0-only
/*
 * Buffers that an io_uring chooses from: given one by one, in a ring in private memory, in one that the kernel has and
 * the program maps, and used up piece by piece. Some were taken. Requests that choose from them wait, and go on.
 */
#include <sys/socket.h>

#include "uring.h"

#define REGISTER_PBUF_RING 22
#define PBUF_MMAP	   1
#define PBUF_INC	   2
#define RECV_MULTISHOT	   2
#define READ_MULTISHOT	   49
#define ROOM		   8
#define SIZE		   32

SUBJECT()

struct entry {
	uint64_t address;
	uint32_t length;
	uint16_t number, tail;
};

struct reg {
	uint64_t address;
	uint32_t entries;
	uint16_t group, flags;
	uint64_t reserved[3];
};

/* A ring of buffers, where buffer i is memory[i]. */
struct ring {
	struct entry *entries;
	char memory[ROOM][SIZE];
	uint16_t tail;
};

static void give(struct ring *r, uint16_t number)
{
	struct entry *to = &r->entries[r->tail++ % ROOM];

	to->address = (uintptr_t)r->memory[number];
	to->length = SIZE;
	to->number = number;
	__atomic_store_n(&r->entries[0].tail, r->tail, __ATOMIC_RELEASE);
}

static void make_ring(struct uring *u, struct ring *r, uint16_t group, uint16_t flags)
{
	struct reg reg = { .entries = ROOM, .group = group, .flags = flags };

	r->tail = 0;
	if (!(flags & PBUF_MMAP)) {
		r->entries = must(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
		reg.address = (uintptr_t)r->entries;
	}
	must(syscall(SYS_io_uring_register, u->fd, REGISTER_PBUF_RING, &reg, 1));
	if (flags & PBUF_MMAP)
		r->entries = must(mmap(NULL, ROOM * sizeof(struct entry), PROT_READ | PROT_WRITE, MAP_SHARED, u->fd,
				       0x80000000 | group << 16));
	for (uint16_t i = 0; i < ROOM; i++)
		give(r, i);
}

static void arm(struct uring *u, unsigned opcode, int fd, unsigned ioprio, uint16_t group, uint64_t user_data)
{
	struct io_uring_sqe *sqe = uring_next(u, user_data);

	sqe->opcode = (uint8_t)opcode;
	sqe->flags = IOSQE_BUFFER_SELECT;
	sqe->fd = fd;
	sqe->ioprio = (uint16_t)ioprio;
	sqe->buf_group = group;
	uring_put(u);
	CHECK_EQUAL(uring_enter(u, 1, 0), 1);
}

/* The text comes out of the buffer that the completion names. Returns the number of that. */
static unsigned expect(struct uring *u, uint64_t user_data, const char *text, const char *memory, size_t behind)
{
	struct io_uring_cqe *cqe;
	unsigned number;

	CHECK(uring_enter(u, 0, 1) >= 0);
	cqe = uring_peek(u);
	CHECK(cqe != NULL);
	CHECK_EQUAL(cqe->user_data, user_data);
	CHECK_EQUAL(cqe->res, (int)strlen(text));
	CHECK(cqe->flags & IORING_CQE_F_BUFFER);
	number = cqe->flags >> IORING_CQE_BUFFER_SHIFT;
	CHECK_EQUAL(memcmp(memory + number * SIZE + behind, text, strlen(text)), 0);
	__atomic_store_n(u->cq_head, *u->cq_head + 1, __ATOMIC_RELEASE);
	return number;
}

struct work {
	struct uring u;
	struct ring own, mapped, pieces;
	char given[4][SIZE];
	int own_pair[2], mapped_pair[2], pipe[2], given_pair[2];
};

static void say(int fd, const char *text)
{
	CHECK_EQUAL(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

static void build(struct work *w, uint32_t setup)
{
	struct io_uring_sqe *sqe;

	uring_make(&w->u, 16, setup);
	must(socketpair(AF_UNIX, SOCK_STREAM, 0, w->own_pair));
	must(socketpair(AF_UNIX, SOCK_STREAM, 0, w->mapped_pair));
	must(socketpair(AF_UNIX, SOCK_STREAM, 0, w->given_pair));
	must(pipe(w->pipe));
	make_ring(&w->u, &w->own, 3, 0);
	make_ring(&w->u, &w->mapped, 70, PBUF_MMAP);
	make_ring(&w->u, &w->pieces, 500, PBUF_INC);
	for (int i = 0; i < 2; i++) {
		sqe = uring_next(&w->u, 90);
		sqe->opcode = IORING_OP_PROVIDE_BUFFERS;
		sqe->fd = i ? 3 : 1;
		sqe->addr = (uintptr_t)w->given[i ? 1 : 0];
		sqe->len = SIZE;
		sqe->off = i ? 1 : 0;
		sqe->buf_group = 9;
		uring_put(&w->u);
		CHECK_EQUAL(uring_enter(&w->u, 1, 1), 1);
		CHECK_EQUAL(uring_peek(&w->u)->res, 0);
		__atomic_store_n(w->u.cq_head, *w->u.cq_head + 1, __ATOMIC_RELEASE);
	}
	arm(&w->u, IORING_OP_RECV, w->own_pair[0], RECV_MULTISHOT, 3, 1);
	arm(&w->u, IORING_OP_RECV, w->mapped_pair[0], RECV_MULTISHOT, 70, 2);
	arm(&w->u, READ_MULTISHOT, w->pipe[0], 0, 500, 3);
	arm(&w->u, IORING_OP_RECV, w->given_pair[0], 0, 9, 4);
	/* Each of them has taken some. */
	for (int i = 0; i < 3 * ROOM + 2; i++) {
		say(w->own_pair[1], "one");
		give(&w->own, (uint16_t)expect(&w->u, 1, "one", w->own.memory[0], 0));
	}
	say(w->mapped_pair[1], "two");
	CHECK_EQUAL(expect(&w->u, 2, "two", w->mapped.memory[0], 0), 0);
	say(w->pipe[1], "three");
	CHECK_EQUAL(expect(&w->u, 3, "three", w->pieces.memory[0], 0), 0);
	say(w->given_pair[1], "four");
	CHECK_EQUAL(expect(&w->u, 4, "four", w->given[0], 0), 0);
	/* They are needed for the requests that a new ring must make. */
	uring_nops(&w->u, 8, 20);
	uring_take(&w->u, 8, 20);
	arm(&w->u, IORING_OP_RECV, w->given_pair[0], 0, 9, 5);
}

static void check(struct work *w)
{
	say(w->mapped_pair[1], "2");
	CHECK_EQUAL(expect(&w->u, 2, "2", w->mapped.memory[0], 0), 1);
	say(w->pipe[1], "three again");
	CHECK_EQUAL(expect(&w->u, 3, "three again", w->pieces.memory[0], 5), 0);
	say(w->given_pair[1], "4");
	CHECK_EQUAL(expect(&w->u, 5, "4", w->given[0], 0), 1);
	arm(&w->u, IORING_OP_RECV, w->given_pair[0], 0, 9, 6);
	say(w->given_pair[1], "44");
	CHECK_EQUAL(expect(&w->u, 6, "44", w->given[0], 0), 2);
	/* All the buffers that there are, each once, and no more. */
	for (int i = 0; i < ROOM; i++) {
		say(w->own_pair[1], "1");
		CHECK_EQUAL(expect(&w->u, 1, "1", w->own.memory[0], 0), (unsigned)(i + 2) % ROOM);
	}
	say(w->own_pair[1], "1");
	CHECK(uring_enter(&w->u, 0, 1) >= 0);
	CHECK_EQUAL(uring_peek(&w->u)->user_data, 1);
	CHECK_EQUAL(uring_peek(&w->u)->res, -ENOBUFS);
}

int main(void)
{
	static struct work all, own;

	build(&all, 0);
	build(&own, IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN);

	checkpoint();

	check(&all);
	check(&own);
	return 0;
}
