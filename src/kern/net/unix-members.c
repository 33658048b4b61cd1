/* SPDX-License-Identifier: LGPL-2.1-only */
/* The program that the kernel runs for each unix socket, and its answers. */
#include "kern/net/unix-members.h"

#include <errno.h>
#include <stdbool.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "kern/bpf/ring.h"
#include "kern/bpf.h"

#define ROOM_MIN (64u << 10)
#define ROOM_MAX (128u << 20)

/* Before the members. The inode lies behind the struct socket, which nobody has who waits for accept(2). */
enum { SOCKET, INO, BEFORE };

static void describe_words(const struct bpf_word *members, size_t n, struct bpf_word *ret)
{
	ret[SOCKET] = (struct bpf_word){ BPF_WORD_OBJECT, "unix_sock", "sk", "sock", "sk_socket", 0 };
	ret[INO] = (struct bpf_word){ SOCKET, "socket_alloc", "vfs_inode", "inode", "i_ino", 0 };
	for (size_t i = 0; i < n; i++)
		ret[BEFORE + i] = members[i];
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

static void add_socket(const struct bpf_words_program *program, const uint64_t *written, unix_members_list *ret)
{
	struct unix_members *socket = vector_push(ret);

	*socket = (struct unix_members){ .ino = bpf_words_value(program, written, INO) };
	for (size_t i = BEFORE; i < program->n; i++)
		socket->values[i - BEFORE] = bpf_words_value(program, written, i);
}

/*
 * By a ring: for each read(2) the kernel would begin at another list of its table, and forget the rest of the last one.
 */
static int read_all(struct bpf_words *words, size_t room, uint32_t *ret_there, unix_members_list *ret)
{
	AUTO(bpf_words_close) struct bpf_words_program program = BPF_WORDS_NONE;
	AUTO(bpf_ring_close) struct bpf_ring ring = BPF_RING_NONE;
	AUTO_CLOSE int fd = -1;
	const uint64_t *written;
	size_t size;

	TRY(bpf_ring_open(&ring, room));
	words->ring = ring.map;
	TRY(bpf_words_load(words, &program));
	if (!bpf_words_has(&program, SOCKET) || !bpf_words_has(&program, INO))
		return -ENOENT;
	fd = bpf_open_iterator(program.program, 0);
	if (fd < 0)
		return fd;
	TRY(walk_all(fd));
	*ret_there = (uint32_t)(program.there >> BEFORE);
	while ((written = bpf_ring_next(&ring, &size)))
		if (bpf_words_value(&program, written, SOCKET))
			add_socket(&program, written, ret);
	return 0;
}

int unix_members_read(const struct bpf_word *members, size_t n, size_t expected, uint32_t *ret_there,
		      unix_members_list *ret)
{
	struct bpf_word described[BEFORE + UNIX_MEMBERS_MAX];
	struct bpf_words words = { "bpf_iter_unix", 8, described, BEFORE + n, -1 };
	const size_t wanted = (expected + expected / 8) * (words.n + 1) * sizeof(uint64_t);
	size_t room = ROOM_MIN;
	int result = -E2BIG;

	*ret_there = 0;
	if (n > UNIX_MEMBERS_MAX)
		return result;
	describe_words(members, n, described);
	while (room < wanted && room < ROOM_MAX)
		room *= 2;
	for (; room <= ROOM_MAX; room *= 4) {
		result = read_all(&words, room, ret_there, ret);
		if (result != -ENOSPC)
			return result;
	}
	return result;
}
