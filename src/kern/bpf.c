/* SPDX-License-Identifier: LGPL-2.1-only */
/* bpf(2). */
#include "kern/bpf.h"

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/auto.h"

int bpf_call(int command, union bpf_attr *attr)
{
	int result = (int)syscall(SYS_bpf, command, attr, sizeof(*attr));

	return result < 0 ? -errno : result;
}

int bpf_load(union bpf_attr *attr, const struct bpf_insn *program, size_t n)
{
	attr->insns = (uintptr_t)program;
	attr->insn_cnt = (uint32_t)n;
	attr->license = (uintptr_t) "GPL";
	return bpf_call(BPF_PROG_LOAD, attr);
}

int bpf_load_iterator(uint32_t function, const struct bpf_insn *program, size_t n)
{
	union bpf_attr attr = { 0 };

	attr.prog_type = BPF_PROG_TYPE_TRACING;
	attr.expected_attach_type = BPF_TRACE_ITER;
	attr.attach_btf_id = function;
	return bpf_load(&attr, program, n);
}

int bpf_open_iterator(int program, pid_t pid)
{
	const uint32_t of_task[] = { 0, (uint32_t)pid, 0, 0 }; /* union bpf_iter_link_info: tid, pid, pid_fd */
	union bpf_attr attr = { 0 };
	AUTO_CLOSE int link = -1;

	attr.link_create.prog_fd = (uint32_t)program;
	attr.link_create.attach_type = BPF_TRACE_ITER;
	attr.link_create.iter_info = pid ? (uintptr_t)of_task : 0;
	attr.link_create.iter_info_len = pid ? sizeof(of_task) : 0;
	link = bpf_call(BPF_LINK_CREATE, &attr);
	if (link < 0)
		return link;
	attr = (union bpf_attr){ 0 };
	attr.iter_create.link_fd = (uint32_t)link;
	return bpf_call(BPF_ITER_CREATE, &attr);
}
