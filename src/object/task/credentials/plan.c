/* SPDX-License-Identifier: GPL-2.0-only */
/* The order in which a thread takes over other credentials. All calls are those of the kernel: they change one thread
 * only. */
#include "object/task/credentials/plan.h"

#include <linux/capability.h>
#include <linux/securebits.h>
#include <string.h>
#include <sys/prctl.h>

#include "object/task/credentials/credentials.h"
#include "plan/plan.h"

#define NO_FIXUP (1u << SECURE_NO_SETUID_FIXUP)

static void set_securebits(struct plan *plan, uint32_t bits)
{
	plan_syscall(plan, "set the securebits", __NR_prctl, V(PR_SET_SECUREBITS), V(bits), V(0), V(0), V(0));
}

static void set_caps(struct plan *plan, uint64_t effective, uint64_t permitted, uint64_t inheritable)
{
	struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[2] = {
		{ (uint32_t)effective, (uint32_t)permitted, (uint32_t)inheritable },
		{ (uint32_t)(effective >> 32), (uint32_t)(permitted >> 32), (uint32_t)(inheritable >> 32) },
	};
	size_t at_head = plan_data(plan, &head, sizeof(head)), at_data = plan_data(plan, data, sizeof(data));

	plan_syscall(plan, "set the capabilities", __NR_capset, D(at_head), D(at_data));
}

static void set_group_ids(struct plan *plan, const struct credentials *want)
{
	const uint32_t *gid = want->gid;
	struct step *step;

	plan_syscall(plan, "set the group ids", __NR_setresgid, V(gid[0]), V(gid[1]), V(gid[2]));
	/* It returns the old id, also when it fails: the second call, which changes nothing, tells. */
	plan_syscall(plan, "set the file system gid", __NR_setfsgid, V(gid[3]));
	step = plan_syscall(plan, "set the file system gid", __NR_setfsgid, V(-1));
	step->flags |= STEP_EXACT;
	step->arg[6] = gid[3];
}

static void set_user_ids(struct plan *plan, const struct credentials *want)
{
	const uint32_t *uid = want->uid;
	struct step *step;

	plan_syscall(plan, "set the user ids", __NR_setresuid, V(uid[0]), V(uid[1]), V(uid[2]));
	plan_syscall(plan, "set the file system uid", __NR_setfsuid, V(uid[3]));
	step = plan_syscall(plan, "set the file system uid", __NR_setfsuid, V(-1));
	step->flags |= STEP_EXACT;
	step->arg[6] = uid[3];
}

/* Ids that a user namespace does not show cannot be set in it, only kept. */
static void set_ids(struct plan *plan, const struct credentials *want, const struct credentials *own)
{
	if (!credentials_equal_groups(want, own))
		plan_syscall(plan, "set the groups", __NR_setgroups, V(want->n_groups),
			     want->n_groups ? D(plan_data(plan, want->groups, want->n_groups * sizeof(*want->groups)))
					    : V(0));
	if (memcmp(want->gid, own->gid, sizeof(want->gid)) != 0)
		set_group_ids(plan, want);
	if (memcmp(want->uid, own->uid, sizeof(want->uid)) != 0)
		set_user_ids(plan, want);
}

static void set_ambient(struct plan *plan, uint64_t ambient)
{
	plan_syscall(plan, "clear the ambient capabilities", __NR_prctl, V(PR_CAP_AMBIENT), V(PR_CAP_AMBIENT_CLEAR_ALL),
		     V(0), V(0), V(0));
	for (int cap = 0; cap < 64; cap++)
		if (ambient >> cap & 1)
			plan_syscall(plan, "raise an ambient capability", __NR_prctl, V(PR_CAP_AMBIENT),
				     V(PR_CAP_AMBIENT_RAISE), V(cap), V(0), V(0));
}

static void drop_bounding(struct plan *plan, uint64_t drop)
{
	for (int cap = 0; cap < 64; cap++)
		if (drop >> cap & 1)
			plan_syscall(plan, "drop a capability from the bounding set", __NR_prctl, V(PR_CAPBSET_DROP),
				     V(cap), V(0), V(0), V(0));
}

void credentials_plan(struct plan *plan, const struct credentials *want, const struct credentials *own)
{
	bool as_root = own->effective >> CAP_SETUID & 1;

	if (!as_root && !credentials_equal(want, own)) {
		/* Only what we had as a checkpointer is to be laid down; the rest was checked to be the same. */
		set_ambient(plan, 0);
		drop_bounding(plan, own->bounding & ~want->bounding);
		set_caps(plan, want->effective, want->permitted, want->inheritable);
	} else if (!credentials_equal(want, own)) {
		/* Else giving up uid 0 takes the capabilities that the next steps need. */
		set_securebits(plan, own->securebits | NO_FIXUP);
		set_ids(plan, want, own);
		/* Inheritable ones must be in the bounding set when they are taken, ambient ones be inheritable. */
		set_caps(plan, own->permitted, own->permitted, want->inheritable);
		set_ambient(plan, want->ambient);
		drop_bounding(plan, own->bounding & ~want->bounding);
		set_securebits(plan, want->securebits);
		set_caps(plan, want->effective, want->permitted, want->inheritable);
	}
	if (want->no_new_privs && !own->no_new_privs)
		plan_syscall(plan, "set no_new_privs", __NR_prctl, V(PR_SET_NO_NEW_PRIVS), V(1), V(0), V(0), V(0));
}
