/* SPDX-License-Identifier: GPL-2.0-only */
/* Credentials of a thread: ids, groups, capabilities, securebits, no_new_privs; see credentials(7), capabilities(7). */
#include <inttypes.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <string.h>
#include <sys/prctl.h>

#include <unistd.h>

#include "base/fail.h"
#include "base/log.h"
#include "kern/capability.h"
#include "object/namespace/namespace.h"
#include "object/task/credentials/credentials.h"
#include "object/task/credentials/plan.h"
#include "object/task/part.h"
#include "object/task/self.h"
#include "plan/plan.h"
#include "session/ids.h"
#include "userns.pb-c.h"

#define GROUPS_MAX 65536 /* linux/limits.h, NGROUPS_MAX */

extern const struct task_part credentials_part;

/* --- dump --- */

static void put_caps(struct pool *pool, uint64_t caps, size_t *n, uint32_t **words)
{
	*n = 2;
	*words = pool_array(pool, uint32_t, 2);
	(*words)[0] = (uint32_t)caps;
	(*words)[1] = (uint32_t)(caps >> 32);
}

static uint32_t shown_id(uint32_t inner)
{
	return inner == NO_ID ? OVERFLOW_ID : inner;
}

/* Those that have no number in the user namespace must be those of the root of the tree: it is born with them. */
static int put_outer_ids(const struct dump *d, const struct proc_status *status, CredsEntry *record)
{
	const struct proc_status *root = &d->tree->root->leader->dump->status;
	bool all = true;

	for (int i = 0; i < 4; i++)
		all &= dump_inner_uid(d, status->uid[i]) != NO_ID && dump_inner_gid(d, status->gid[i]) != NO_ID;
	if (all)
		return 0;
	record->n_outer_ids = 8;
	record->outer_ids = pool_array(d->pool, uint32_t, 8);
	memcpy(record->outer_ids, status->uid, sizeof(status->uid));
	memcpy(record->outer_ids + 4, status->gid, sizeof(status->gid));
	if (!memcmp(root->uid, status->uid, sizeof(root->uid)) && !memcmp(root->gid, status->gid, sizeof(root->gid)))
		return 0;
	return refuse(
		EOPNOTSUPP,
		"user %u or group %u, whom it belongs to, is not to be seen in its user namespace, and the root of "
		"the tree has other ids: that cannot be checkpointed yet",
		status->uid[1], status->gid[1]);
}

static int put_groups(const struct dump *d, const struct proc_status *status, CredsEntry *record)
{
	const struct proc_status *root = &d->tree->root->leader->dump->status;
	bool all = !d->facts->ids || !d->facts->ids->setgroups_denied;

	record->n_groups = status->n_groups;
	record->groups = pool_array(d->pool, uint32_t, status->n_groups + 1);
	for (size_t i = 0; i < status->n_groups; i++) {
		record->groups[i] = shown_id(dump_inner_gid(d, status->groups[i]));
		all &= dump_inner_gid(d, status->groups[i]) != NO_ID;
	}
	if (all || !status->n_groups)
		return 0;
	record->n_outer_groups = status->n_groups;
	record->outer_groups = pool_copy(d->pool, status->groups, status->n_groups * sizeof(*record->outer_groups));
	if (root->n_groups == status->n_groups &&
	    !memcmp(root->groups, status->groups, status->n_groups * sizeof(*root->groups)))
		return 0;
	return refuse(EOPNOTSUPP, "it has supplementary groups that cannot be set in its user namespace, and the root "
				  "of the tree has others: that cannot be checkpointed yet");
}

static void put_ids(const struct dump *d, const struct proc_status *status, CredsEntry *record)
{
	record->uid = shown_id(dump_inner_uid(d, status->uid[0]));
	record->euid = shown_id(dump_inner_uid(d, status->uid[1]));
	record->suid = shown_id(dump_inner_uid(d, status->uid[2]));
	record->fsuid = shown_id(dump_inner_uid(d, status->uid[3]));
	record->gid = shown_id(dump_inner_gid(d, status->gid[0]));
	record->egid = shown_id(dump_inner_gid(d, status->gid[1]));
	record->sgid = shown_id(dump_inner_gid(d, status->gid[2]));
	record->fsgid = shown_id(dump_inner_gid(d, status->gid[3]));
}

static int dump_credentials(const struct dump *d, struct thread *thread)
{
	const struct proc_status *status = &thread->dump->status;
	CredsEntry *record = pool_new(d->pool, CredsEntry);

	creds_entry__init(record);
	put_ids(d, status, record);
	put_caps(d->pool, status->cap_inheritable, &record->n_cap_inh, &record->cap_inh);
	put_caps(d->pool, status->cap_permitted, &record->n_cap_prm, &record->cap_prm);
	put_caps(d->pool, status->cap_effective, &record->n_cap_eff, &record->cap_eff);
	put_caps(d->pool, status->cap_bounding, &record->n_cap_bnd, &record->cap_bnd);
	put_caps(d->pool, status->cap_ambient, &record->n_cap_amb, &record->cap_amb);
	TRY(put_outer_ids(d, status, record));
	TRY(put_groups(d, status, record));
	if (status->no_new_privs) {
		record->has_no_new_privs = true;
		record->no_new_privs = 1;
	}
	thread->core->thread_core->creds = record;
	return user_check_ids(d, thread);
}

static int ask_credentials(struct dump *d, struct thread *thread, struct plan *plan)
{
	*part_offsets(d, thread, &credentials_part, 1) =
		plan_keep_result(plan, plan_syscall(plan, "read the securebits", __NR_prctl, V(PR_GET_SECUREBITS), V(0),
						    V(0), V(0), V(0)));
	return 0;
}

static int answer_credentials(struct dump *d, struct thread *thread)
{
	thread->core->thread_core->creds->secbits =
		(uint32_t)remote_value(thread->remote, *part_offsets(d, thread, &credentials_part, 1));
	return 0;
}

static int told_credentials(struct dump *d, struct thread *thread)
{
	thread->core->thread_core->creds->secbits = thread->dump->like->core->thread_core->creds->secbits;
	return 0;
}

/* --- restore --- */

static int get_caps(const char *name, size_t n, const uint32_t *words, uint64_t *ret)
{
	if (n > 2)
		return refuse(EINVAL, "the %s capabilities have %zu words: the image is damaged", name, n);
	*ret = (n > 0 ? words[0] : 0) | (uint64_t)(n > 1 ? words[1] : 0) << 32;
	return 0;
}

int credentials_from_record(const CredsEntry *record, struct credentials *to)
{
	*to = (struct credentials){
		.uid = { record->uid, record->euid, record->suid, record->fsuid },
		.gid = { record->gid, record->egid, record->sgid, record->fsgid },
		.groups = record->groups,
		.n_groups = record->n_groups,
		.securebits = record->secbits,
		.no_new_privs = record->no_new_privs,
	};
	if (record->n_groups > GROUPS_MAX)
		return refuse(EINVAL, "the record has %zu groups: the image is damaged", record->n_groups);
	TRY(get_caps("inheritable", record->n_cap_inh, record->cap_inh, &to->inheritable));
	TRY(get_caps("permitted", record->n_cap_prm, record->cap_prm, &to->permitted));
	TRY(get_caps("effective", record->n_cap_eff, record->cap_eff, &to->effective));
	TRY(get_caps("bounding", record->n_cap_bnd, record->cap_bnd, &to->bounding));
	return get_caps("ambient", record->n_cap_amb, record->cap_amb, &to->ambient);
}

void credentials_from_status(const struct proc_status *status, uint32_t securebits, struct credentials *to)
{
	*to = (struct credentials){
		.groups = status->groups,
		.n_groups = status->n_groups,
		.inheritable = status->cap_inheritable,
		.permitted = status->cap_permitted,
		.effective = status->cap_effective,
		.bounding = status->cap_bounding,
		.ambient = status->cap_ambient,
		.securebits = securebits,
		.no_new_privs = status->no_new_privs,
	};
	for (int i = 0; i < 4; i++) {
		to->uid[i] = status->uid[i];
		to->gid[i] = status->gid[i];
	}
}

bool credentials_equal_groups(const struct credentials *a, const struct credentials *b)
{
	return a->n_groups == b->n_groups &&
	       (!a->n_groups || !memcmp(a->groups, b->groups, a->n_groups * sizeof(*a->groups)));
}

bool credentials_equal(const struct credentials *a, const struct credentials *b)
{
	return !memcmp(a->uid, b->uid, sizeof(a->uid)) && !memcmp(a->gid, b->gid, sizeof(a->gid)) &&
	       credentials_equal_groups(a, b) && a->inheritable == b->inheritable && a->permitted == b->permitted &&
	       a->effective == b->effective && a->bounding == b->bounding && a->ambient == b->ambient &&
	       a->securebits == b->securebits;
}

static void warn_caps(const char *what, uint64_t caps)
{
	if (caps)
		log_warn("%s capabilities 0x%" PRIx64 " are lost: criu has them not in its own bounding set", what,
			 caps);
}

int credentials_limit(struct credentials *want, const struct credentials *own)
{
	uint64_t givable = own->inheritable | own->bounding;

	if (want->permitted & ~own->permitted || want->effective & ~want->permitted)
		return refuse(EPERM,
			      "the program had the permitted capabilities 0x%" PRIx64 " and criu has 0x%" PRIx64
			      ": start criu with all of them",
			      want->permitted | want->effective, own->permitted);
	if (own->no_new_privs && !want->no_new_privs)
		log_warn("criu runs with no_new_privs: the program will have it too");
	warn_caps("bounding", want->bounding & ~own->bounding);
	warn_caps("inheritable", want->inheritable & ~givable);
	want->bounding &= own->bounding;
	want->inheritable &= givable;
	want->ambient &= want->inheritable & want->permitted;
	return 0;
}

/* Where a user namespace begins: all power over it and no other. */
static void credentials_of_first(const struct restore *r, struct credentials *own)
{
	const CredsEntry *root = r->tree->root->leader->core->thread_core->creds;
	bool no_new_privs = own->no_new_privs;

	*own = (struct credentials){ .groups = r->facts->groups,
				     .n_groups = r->facts->n_groups,
				     .no_new_privs = no_new_privs };
	own->permitted = own->effective = own->bounding = capability_all();
	for (int i = 0; i < 4; i++) {
		own->uid[i] = restore_task_uid(r);
		own->gid[i] = restore_task_gid(r);
	}
	if (root && root->n_outer_ids) {
		memcpy(own->uid, (uint32_t[]){ root->uid, root->euid, root->suid, root->euid }, sizeof(own->uid));
		memcpy(own->gid, (uint32_t[]){ root->gid, root->egid, root->sgid, root->egid }, sizeof(own->gid));
	}
}

/* As the namespace sees them; what has no number there is kept. */
static void see_from(const struct restore *r, const struct namespace *users, struct credentials *creds)
{
	uint32_t *groups = pool_array(r->pool, uint32_t, creds->n_groups + 1);

	for (int i = 0; i < 4; i++) {
		creds->uid[i] = user_inner_uid(users, creds->uid[i]);
		creds->gid[i] = user_inner_gid(users, creds->gid[i]);
	}
	for (size_t i = 0; i < creds->n_groups; i++)
		groups[i] = user_inner_gid(users, creds->groups[i]);
	creds->groups = groups;
}

/* In a user namespace within that of the root: who goes there takes its ids before, others have those of their
 * creator. Before anything is made it is not known whose that are. */
static int credentials_of_inner(const struct restore *r, const struct thread *thread, struct credentials *want,
				struct credentials *own)
{
	const struct task *like = thread->task->restore->ids_of;
	const CredsEntry *wanted = thread->core->thread_core->creds,
			 *born = like ? like->leader->core->thread_core->creds : wanted;
	const struct namespace *users = user_now(r, thread->task);
	bool no_new_privs = own->no_new_privs;

	if (!user_can_take(users, born, wanted))
		return refuse(EOPNOTSUPP, "it had ids that cannot be taken in the user namespace that it lived in: "
					  "that cannot be restored yet");
	TRY(credentials_from_record(born, own));
	see_from(r, users, want);
	see_from(r, users, own);
	own->permitted = own->effective = own->bounding = capability_all();
	own->inheritable = own->ambient = 0;
	own->securebits = 0;
	own->no_new_privs = no_new_privs;
	return 0;
}

static int load_wanted(const struct restore *r, const struct thread *thread, struct credentials *want,
		       struct credentials *own)
{
	TRY(credentials_from_record(thread->core->thread_core->creds, want));
	credentials_from_status(&restore_self_of(r)->status, restore_self_of(r)->securebits, own);
	if (thread->task->restore->inner_users)
		return credentials_of_inner(r, thread, want, own);
	if (r->facts->ids)
		credentials_of_first(r, own);
	return 0;
}

/* Without being root we can give away what we have and nothing else. The kernel would say the same later, but not what
 * is wrong. */
static int check_ordinary(const struct credentials *want, const struct credentials *own)
{
	if (want->permitted | want->effective | want->inheritable | want->ambient)
		return refuse(EPERM, "it had capabilities: only root can restore it");
	for (int i = 0; i < 4; i++)
		if (want->uid[i] != own->uid[0] || want->gid[i] != own->gid[0])
			return refuse(
				EPERM,
				"it belonged to user %u and group %u: only root and this very user can restore it",
				want->uid[i], want->gid[i]);
	if (want->n_groups != own->n_groups ||
	    (want->n_groups && memcmp(want->groups, own->groups, want->n_groups * sizeof(*want->groups)) != 0))
		return refuse(EPERM,
			      "it had other supplementary groups than who restores it: only root can give them back");
	if (want->securebits != own->securebits)
		return refuse(EPERM, "it had the securebits 0x%x, and criu has 0x%x: only root can change them",
			      want->securebits, own->securebits);
	if ((want->bounding & own->bounding) != own->bounding && !(own->effective >> CAP_SETPCAP & 1))
		return refuse(EPERM,
			      "its capabilities were bounded by 0x%" PRIx64 ", ours are by 0x%" PRIx64
			      ": only root can lower this",
			      want->bounding, own->bounding);
	return 0;
}

static int check_credentials(const struct restore *r, struct thread *thread)
{
	struct credentials want, own;

	if (!thread->core->thread_core->creds)
		return refuse(EINVAL,
			      "core-%d.img has no credentials: it was written by a version of CRIU that is too old",
			      thread->vtid);
	TRY(load_wanted(r, thread, &want, &own));
	/* Who has some capabilities for checkpoints only shall not hand them on by an image that he wrote himself. */
	if (geteuid() != 0)
		TRY(check_ordinary(&want, &own));
	return credentials_limit(&want, &own);
}

static int last_credentials(struct restore *r, struct thread *thread, struct plan *plan)
{
	struct credentials want, own;

	TRY(load_wanted(r, thread, &want, &own));
	TRY(credentials_limit(&want, &own));
	credentials_plan(plan, &want, &own);
	return 0;
}

const struct task_part credentials_part = {
	.name = "credentials",
	.outside = dump_credentials,
	.ask = ask_credentials,
	.answer = answer_credentials,
	.told = told_credentials,
	.check = check_credentials,
	.last = last_credentials,
};
