// SPDX-License-Identifier: GPL-2.0-only
/* A socket with an eBPF filter is refused: the program cannot be read. */
#include <linux/bpf.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "subject.h"

SUBJECT(.refused = "descriptor [0-9]+.*eBPF program filters")

#ifndef SO_ATTACH_BPF
#define SO_ATTACH_BPF 50
#endif

int main(void)
{
	const struct bpf_insn program[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 0xffff },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	union bpf_attr attributes = { .prog_type = BPF_PROG_TYPE_SOCKET_FILTER,
				      .insns = (uintptr_t)program,
				      .insn_cnt = 2,
				      .license = (uintptr_t) "GPL" };
	int fd = must(socket(AF_INET, SOCK_DGRAM, 0));
	int filter = (int)syscall(SYS_bpf, BPF_PROG_LOAD, &attributes, sizeof(attributes));

	if (filter < 0)
		skip("this kernel takes no eBPF filters");
	must(setsockopt(fd, SOL_SOCKET, SO_ATTACH_BPF, &filter, sizeof(filter)));
	close(filter);

	checkpoint();

	CHECK(getsockopt(fd, SOL_SOCKET, SO_GET_FILTER, NULL, &(socklen_t){ 0 }) == -1);
	return 0;
}
