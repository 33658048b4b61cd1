// SPDX-License-Identifier: GPL-2.0-only
/* A filter whose listener is outside of the tree: the dump tells of it, the call that it decided on fails. */
#include "filters.h"

#include <linux/seccomp.h>

SUBJECT()

int main(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mkdirat, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { ARRAY_SIZE(code), code };
	int listener;

	must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	listener = (int)must(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program));
	close(listener); /* as if it had gone to a container manager that has ended */

	checkpoint();

	CHECK(syscall(SYS_mkdirat, AT_FDCWD, "d", 0700) == -1 && errno == ENOSYS);
	CHECK_EQUAL(access("d", F_OK), -1);
	return 0;
}
