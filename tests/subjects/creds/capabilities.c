// SPDX-License-Identifier: GPL-2.0-only
/* All five sets of capabilities, for root with few and for a user with some; securebits with locks; no_new_privs. */
#include "subject.h"

#include <linux/capability.h>
#include <linux/securebits.h>
#include <sys/prctl.h>

SUBJECT()

struct sets {
	uint64_t effective, permitted, inheritable;
};

#define BIT(cap) (1ull << (cap))

static int to_child[2], to_parent[2];

static void set(struct sets sets)
{
	struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[2] = {
		{ (uint32_t)sets.effective, (uint32_t)sets.permitted, (uint32_t)sets.inheritable },
		{ (uint32_t)(sets.effective >> 32), (uint32_t)(sets.permitted >> 32),
		  (uint32_t)(sets.inheritable >> 32) },
	};

	must(syscall(SYS_capset, &head, data));
}

static void check(struct sets wanted)
{
	struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[2];

	must(syscall(SYS_capget, &head, data));
	CHECK_EQUAL(data[0].effective | (uint64_t)data[1].effective << 32, wanted.effective);
	CHECK_EQUAL(data[0].permitted | (uint64_t)data[1].permitted << 32, wanted.permitted);
	CHECK_EQUAL(data[0].inheritable | (uint64_t)data[1].inheritable << 32, wanted.inheritable);
}

static void wait_in_pipe(void)
{
	char byte;

	must(write(to_parent[1], "r", 1));
	must(read(to_child[0], &byte, 1));
}

/* uid 0 that is nobody special. */
static int weak_root(void *arg)
{
	const struct sets sets = { BIT(CAP_KILL), BIT(CAP_KILL) | BIT(CAP_CHOWN), BIT(CAP_KILL) };
	const int bits = SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_CAP_AMBIENT_RAISE | SECBIT_KEEP_CAPS;

	must(prctl(PR_CAPBSET_DROP, CAP_NET_RAW));
	must(prctl(PR_CAPBSET_DROP, CAP_SYS_ADMIN));
	must(prctl(PR_CAPBSET_DROP, CAP_SETPCAP));
	must(prctl(PR_SET_SECUREBITS, bits));
	set(sets);
	must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	wait_in_pipe();
	check(sets);
	CHECK_EQUAL(prctl(PR_GET_SECUREBITS), bits);
	CHECK_EQUAL(prctl(PR_CAPBSET_READ, CAP_NET_RAW), 0);
	CHECK_EQUAL(prctl(PR_CAPBSET_READ, CAP_SYS_ADMIN), 0);
	CHECK_EQUAL(prctl(PR_CAPBSET_READ, CAP_CHOWN), 1);
	CHECK_EQUAL(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 1);
	return 0;
}

/* A user with two capabilities, one of them ambient, and an inheritable one that is not in the bounding set. */
static int user_with_caps(void *arg)
{
	struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[2];
	struct sets sets = { BIT(CAP_NET_ADMIN), BIT(CAP_NET_ADMIN) | BIT(CAP_SYS_TIME),
			     BIT(CAP_NET_ADMIN) | BIT(CAP_MKNOD) };

	must(syscall(SYS_capget, &head, data));
	data[0].inheritable = (uint32_t)sets.inheritable;
	must(syscall(SYS_capset, &head, data));
	must(prctl(PR_CAPBSET_DROP, CAP_MKNOD));
	must(prctl(PR_SET_KEEPCAPS, 1));
	must(setresuid(1000, 1000, 1000));
	set(sets);
	must(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_NET_ADMIN, 0, 0));
	wait_in_pipe();
	check(sets);
	CHECK_EQUAL(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_NET_ADMIN, 0, 0), 1);
	CHECK_EQUAL(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_SYS_TIME, 0, 0), 0);
	CHECK_EQUAL(prctl(PR_CAPBSET_READ, CAP_MKNOD), 0);
	CHECK_EQUAL(prctl(PR_GET_KEEPCAPS), 1);
	CHECK_EQUAL(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 0);
	CHECK_EQUAL(getuid(), 1000);
	return 0;
}

int main(void)
{
	int (*const works[])(void *) = { weak_root, user_with_caps };
	pid_t pids[2];
	char byte;

	must(pipe(to_child));
	must(pipe(to_parent));
	for (int i = 0; i < 2; i++) {
		pids[i] = start_child(works[i], NULL);
		must(read(to_parent[0], &byte, 1));
	}

	checkpoint();

	must(write(to_child[1], "go", 2));
	for (int i = 0; i < 2; i++)
		join_child(pids[i], 0);
	return 0;
}
