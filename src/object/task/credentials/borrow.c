/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Credentials that somebody has for a moment, as the kernel notes them with what is made then: a process of ours that
 * ends afterwards, or a task, which takes over only what it can give back.
 */
#include <errno.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fail.h"
#include "object/task/credentials/credentials.h"
#include "object/task/part.h"
#include "plan/plan.h"

int credentials_check(const CredsEntry *record)
{
	struct credentials creds;

	return credentials_from_record(record, &creds);
}

struct caps {
	struct __user_cap_header_struct head;
	struct __user_cap_data_struct data[2];
};

static struct caps make_caps(uint64_t effective, uint64_t permitted, uint64_t inheritable)
{
	return (struct caps){
		{ _LINUX_CAPABILITY_VERSION_3, 0 },
		{ { (uint32_t)effective, (uint32_t)permitted, (uint32_t)inheritable },
		  { (uint32_t)(effective >> 32), (uint32_t)(permitted >> 32), (uint32_t)(inheritable >> 32) } },
	};
}

/* --- by ourselves --- */

static int set_caps(uint64_t effective, uint64_t permitted, uint64_t inheritable)
{
	struct caps caps = make_caps(effective, permitted, inheritable);

	return (int)syscall(SYS_capset, &caps.head, caps.data);
}

static uint64_t own_permitted(void)
{
	struct caps caps = make_caps(0, 0, 0);

	return syscall(SYS_capget, &caps.head, caps.data) < 0
		       ? 0
		       : caps.data[0].permitted | (uint64_t)caps.data[1].permitted << 32;
}

static int set_ids(const struct credentials *want)
{
	if (syscall(SYS_setgroups, want->n_groups, want->groups) < 0 ||
	    syscall(SYS_setresgid, want->gid[0], want->gid[1], want->gid[2]) < 0 ||
	    syscall(SYS_setresuid, want->uid[0], want->uid[1], want->uid[2]) < 0)
		return -1;
	syscall(SYS_setfsgid, want->gid[3]);
	syscall(SYS_setfsuid, want->uid[3]);
	return 0;
}

static int take_all(const struct credentials *want)
{
	const uint64_t own = own_permitted();

	if (prctl(PR_SET_SECUREBITS, 1 << SECURE_NO_SETUID_FIXUP, 0, 0, 0) < 0 || set_ids(want) < 0 ||
	    set_caps(own, own, want->inheritable) < 0)
		return -1;
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	for (int cap = 0; cap < 64; cap++)
		if (want->ambient >> cap & 1 && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0) < 0)
			return -1;
	for (int cap = 0; cap < 64; cap++)
		if (!(want->bounding >> cap & 1))
			prctl(PR_CAPBSET_DROP, cap, 0, 0, 0); /* fails for what the kernel has not */
	if (prctl(PR_SET_SECUREBITS, want->securebits, 0, 0, 0) < 0)
		return -1;
	return set_caps(want->effective, want->permitted, want->inheritable);
}

int credentials_take(const CredsEntry *record)
{
	struct credentials want;

	if (credentials_from_record(record, &want) < 0)
		return -EINVAL;
	return take_all(&want) < 0 ? -errno : 0;
}

/* --- by a task --- */

static void plan_caps(struct plan *plan, uint64_t effective, const struct credentials *own)
{
	const struct caps caps = make_caps(effective, own->permitted, own->inheritable);

	plan_syscall(plan, "set the effective capabilities", __NR_capset,
		     D(plan_data(plan, &caps.head, sizeof(caps.head))),
		     D(plan_data(plan, caps.data, sizeof(caps.data))));
}

static void plan_groups(struct plan *plan, const struct credentials *creds)
{
	plan_syscall(plan, "set the groups", __NR_setgroups, V(creds->n_groups),
		     creds->n_groups ? D(plan_data(plan, creds->groups, creds->n_groups * sizeof(*creds->groups)))
				     : V(0));
}

static void plan_ids(struct plan *plan, uint32_t uid, uint32_t gid)
{
	plan_syscall(plan, "set the effective group id", __NR_setresgid, V(-1), V(gid), V(-1));
	plan_syscall(plan, "set the effective user id", __NR_setresuid, V(-1), V(uid), V(-1));
}

int credentials_plan_borrow(struct plan *plan, const CredsEntry *record, int proc)
{
	struct credentials want, own;
	struct proc_status status;

	TRY(credentials_from_record(record, &want));
	TRY(proc_status_read(proc, &status));
	credentials_from_status(&status, 0, &own);
	plan_groups(plan, &want);
	plan_ids(plan, want.uid[1], want.gid[1]);
	plan_caps(plan, own.permitted, &own);
	plan_syscall(plan, "set the file system gid", __NR_setfsgid, V(want.gid[3]));
	plan_syscall(plan, "set the file system uid", __NR_setfsuid, V(want.uid[3]));
	plan_caps(plan, want.effective, &own);
	proc_status_done(&status);
	return 0;
}

int credentials_plan_return(struct plan *plan, int proc)
{
	struct credentials own;
	struct proc_status status;

	TRY(proc_status_read(proc, &status));
	credentials_from_status(&status, 0, &own);
	plan_caps(plan, own.permitted, &own);
	plan_ids(plan, own.uid[1], own.gid[1]);
	plan_groups(plan, &own);
	plan_caps(plan, own.effective, &own);
	/* Other ids make it a task that may not be looked into. */
	plan_syscall(plan, "let others look into it again", __NR_prctl, V(PR_SET_DUMPABLE), V(1), V(0), V(0), V(0));
	proc_status_done(&status);
	return 0;
}
