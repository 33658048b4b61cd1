// SPDX-License-Identifier: GPL-2.0-only
/* A BPF program that is pinned. */
#include <linux/bpf.h>
#include <sched.h>
#include <sys/mount.h>

#include "subject.h"

SUBJECT(.refused = "a BPF program is pinned at .*/m/dir/filter", .ways = "untouched unharmed")

int main(void)
{
	const struct bpf_insn program[] = { { .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = 0 },
					    { .code = BPF_JMP | BPF_EXIT } };
	union bpf_attr attr = { .prog_type = BPF_PROG_TYPE_SOCKET_FILTER, .insn_cnt = 2 }, pin = { 0 };
	int fd;

	attr.insns = (uint64_t)(uintptr_t)program;
	attr.license = (uint64_t)(uintptr_t) "GPL";
	fd = (int)syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof(attr));
	if (fd < 0)
		skip("bpf: %s", strerror(errno));
	must(unshare(CLONE_NEWNS));
	must(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	must(mkdir("m", 0700));
	if (mount("bpf", "m", "bpf", 0, NULL) < 0)
		skip("this kernel has no bpf file system");
	must(mkdir("m/dir", 0700));
	pin.bpf_fd = (uint32_t)fd;
	pin.pathname = (uint64_t)(uintptr_t) "m/dir/filter";
	must((int)syscall(SYS_bpf, BPF_OBJ_PIN, &pin, sizeof(pin)));
	must(close(fd));

	checkpoint();

	CHECK_EQUAL(access("m/dir/filter", F_OK), 0);
	return 0;
}
