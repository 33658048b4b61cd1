// SPDX-License-Identifier: GPL-2.0-only
/* Buffers that are registered with an io_uring stay, with gaps and tags, in private and in shared memory; also of one
 * that a thread alone may use, and of one that a child has, too. */
#include <sys/uio.h>
#include <sys/wait.h>

#include "uring.h"

#define REGISTER_BUFFERS2 15
#define SIZE		  (64 << 10)

SUBJECT()

static char *make_memory(int flags)
{
	char *memory = must(mmap(NULL, SIZE, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1, 0));

	memset(memory, 'm', SIZE);
	return memory;
}

static void build(struct uring *u, uint32_t setup, char *private, char *shared)
{
	struct iovec parts[5] = {
		{ NULL, 0 }, { private + 100, 5000 }, { shared, SIZE }, { NULL, 0 }, { private, 4096 }
	};
	uint64_t tags[5] = { 0, 0, 31, 0, 32 };
	struct io_uring_rsrc_register table = { .nr = 5, .data = (uintptr_t)parts, .tags = (uintptr_t)tags };

	uring_make(u, 8, setup);
	uring_nops(u, 2, 5);
	uring_take(u, 2, 5);
	must(syscall(SYS_io_uring_register, u->fd, REGISTER_BUFFERS2, &table, sizeof(table)));
}

static int move(struct uring *u, unsigned opcode, int fd, unsigned buffer, char *at, unsigned length)
{
	struct io_uring_sqe *sqe = uring_next(u, 9);
	int result;

	sqe->opcode = (uint8_t)opcode;
	sqe->fd = fd;
	sqe->addr = (uintptr_t)at;
	sqe->len = length;
	sqe->buf_index = (uint16_t)buffer;
	uring_put(u);
	CHECK_EQUAL(uring_enter(u, 1, 1), 1);
	CHECK_EQUAL(uring_peek(u)->user_data, 9);
	result = uring_peek(u)->res;
	__atomic_store_n(u->cq_head, *u->cq_head + 1, __ATOMIC_RELEASE);
	return result;
}

static void check(struct uring *u, int fd, char *private, char *shared)
{
	uint64_t tags = 0;

	memset(private + 100, 'a', 5000);
	memset(shared, 'b', SIZE);
	CHECK_EQUAL(move(u, IORING_OP_WRITE_FIXED, fd, 1, private + 100, 5000), 5000);
	CHECK_EQUAL(move(u, IORING_OP_READ_FIXED, fd, 2, shared + 7, 5000), 5000);
	CHECK_EQUAL(memcmp(shared + 7, private + 100, 5000), 0);
	CHECK_EQUAL(shared[5007], 'b');
	CHECK_EQUAL(move(u, IORING_OP_READ_FIXED, fd, 1, private + 99, 1), -EFAULT);
	CHECK_EQUAL(move(u, IORING_OP_READ_FIXED, fd, 3, private, 1), -EFAULT);
	CHECK_EQUAL(move(u, IORING_OP_READ_FIXED, fd, 4, private, 1), 1);
	CHECK_EQUAL(syscall(SYS_io_uring_register, u->fd, IORING_UNREGISTER_BUFFERS, NULL, 0), 0);
	for (int i = 0; i < 2; i++) {
		CHECK(uring_enter(u, 0, 1) >= 0);
		tags |= 1ull << uring_peek(u)->user_data;
		__atomic_store_n(u->cq_head, *u->cq_head + 1, __ATOMIC_RELEASE);
	}
	CHECK_EQUAL(tags, 3ull << 31);
}

int main(void)
{
	struct uring all, own;
	char *first = make_memory(MAP_PRIVATE), *second = make_memory(MAP_PRIVATE), *shared = make_memory(MAP_SHARED);
	int fd = must(open("data", O_RDWR | O_CREAT, 0600)), status;
	pid_t child;

	build(&all, 0, first, shared);
	build(&own, IORING_SETUP_SINGLE_ISSUER, second, shared);
	child = must(fork());
	if (!child) {
		pause();
		_exit(1);
	}

	checkpoint();

	/* In the same file one after the other. */
	check(&all, must(open("data", O_RDWR)), first, shared);
	check(&own, fd, second, shared);
	must(kill(child, SIGKILL));
	CHECK_EQUAL(must(waitpid(child, &status, 0)), child);
	return 0;
}
