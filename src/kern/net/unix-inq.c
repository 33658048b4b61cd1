/* SPDX-License-Identifier: LGPL-2.1-only */
/* The program that the kernel runs for each unix socket, and its answers. */
#include "kern/net/unix-inq.h"

#include <errno.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/array.h"
#include "base/auto.h"
#include "base/fail.h"
#include "kern/bpf.h"
#include "kern/btf.h"

#define SO_INQ_ 84 /* asm-generic/socket.h, Linux 6.17 */

struct places {
	struct btf_place inq, sock, socket, inode, number;
	uint32_t function;
};

static int find_places(struct places *places)
{
	AUTO(btf_close) struct btf *btf = NULL;

	TRY(btf_open(&btf));
	TRY(btf_find(btf, "unix_sock", "recvmsg_inq", &places->inq));
	TRY(btf_find(btf, "unix_sock", "sk", &places->sock));
	TRY(btf_find(btf, "sock", "sk_socket", &places->socket));
	TRY(btf_find(btf, "socket_alloc", "vfs_inode", &places->inode));
	TRY(btf_find(btf, "inode", "i_ino", &places->number));
	if (places->inq.bits || places->inq.size != 1 || places->number.size != sizeof(uint64_t))
		return -ENOENT;
	return btf_find_function(btf, "bpf_iter_unix", &places->function);
}

/* The context: meta, socket, uid, of which each takes 8 bytes. Its inode lies behind the struct socket. */
static int load_program(const struct places *places)
{
	const struct bpf_insn program[] = {
		BPF_LOAD(BPF_DW, BPF_REG_6, BPF_REG_1, 0),
		BPF_LOAD(BPF_DW, BPF_REG_7, BPF_REG_1, 8),
		BPF_INSN(BPF_JMP | BPF_JEQ | BPF_K, BPF_REG_7, 0, 14, 0), /* the end */
		BPF_LOAD(BPF_B, BPF_REG_2, BPF_REG_7, places->inq.offset),
		BPF_INSN(BPF_JMP | BPF_JEQ | BPF_K, BPF_REG_2, 0, 12, 0),
		BPF_LOAD(BPF_DW, BPF_REG_3, BPF_REG_7, places->sock.offset + places->socket.offset),
		BPF_INSN(BPF_JMP | BPF_JEQ | BPF_K, BPF_REG_3, 0, 10, 0), /* nobody has it */
		BPF_INSN(BPF_ALU64 | BPF_ADD | BPF_K, BPF_REG_3, 0, 0, places->inode.offset + places->number.offset),
		BPF_COPY(BPF_REG_1, BPF_REG_10),
		BPF_INSN(BPF_ALU64 | BPF_ADD | BPF_K, BPF_REG_1, 0, 0, -8),
		BPF_SET(BPF_REG_2, sizeof(uint64_t)),
		BPF_CALL_HELPER(BPF_FUNC_probe_read_kernel),
		BPF_LOAD(BPF_DW, BPF_REG_1, BPF_REG_6, 0), /* meta->seq */
		BPF_COPY(BPF_REG_2, BPF_REG_10),
		BPF_INSN(BPF_ALU64 | BPF_ADD | BPF_K, BPF_REG_2, 0, 0, -8),
		BPF_SET(BPF_REG_3, sizeof(uint64_t)),
		BPF_CALL_HELPER(BPF_FUNC_seq_write),
		BPF_SET(BPF_REG_0, 0),
		BPF_INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
	};

	return bpf_load_iterator(places->function, program, ARRAY_SIZE(program));
}

static int read_all(int fd, inode_list *inodes)
{
	uint64_t numbers[64];

	for (;;) {
		ssize_t n = read(fd, numbers, sizeof(numbers));

		if (n < 0 && (errno == EINTR || errno == EAGAIN)) /* the kernel has walked long without a result */
			continue;
		if (n < 0 || n % (ssize_t)sizeof(*numbers))
			return n < 0 ? -errno : -EIO;
		if (n == 0)
			return 0;
		for (size_t i = 0; i < (size_t)n / sizeof(*numbers); i++)
			*vector_push(inodes) = (uint32_t)numbers[i];
	}
}

/* Before it is looked for among all structures of the kernel. */
static bool is_known(void)
{
	AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	const int on = 1;

	return fd >= 0 && !setsockopt(fd, SOL_SOCKET, SO_INQ_, &on, sizeof(on));
}

int unix_inq_read(inode_list *inodes)
{
	AUTO_CLOSE int program = -1, fd = -1;
	struct places places;

	if (!is_known())
		return -ENOPROTOOPT;
	TRY(find_places(&places));
	program = load_program(&places);
	if (program < 0)
		return program;
	fd = bpf_open_iterator(program, 0);
	return fd < 0 ? fd : read_all(fd, inodes);
}
