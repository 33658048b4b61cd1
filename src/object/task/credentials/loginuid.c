/* SPDX-License-Identifier: GPL-2.0-only */
/* The user that logged in, for the kernel's audit: /proc/PID/loginuid. A process may write only its own. */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>

#include "base/fail.h"
#include "base/file.h"
#include "base/log.h"
#include "base/text.h"
#include "object/task/part.h"
#include "object/task/self.h"
#include "plan/plan.h"

/* 1: known; 0: a kernel without audit. */
static int find_loginuid(const struct thread *thread, uint32_t *ret)
{
	const struct task_own *own = thread->dump->own;
	char text[32];
	ssize_t size;

	if (own && own->knows_login) {
		*ret = own->login;
		return 1;
	}
	size = file_read_text(thread->task->dump->proc, "loginuid", text, sizeof(text));
	if (size == -ENOENT)
		return 0;
	if (size < 0)
		return fail((int)-size, "reading loginuid");
	if (text_to_u32(text, 10, ret) < 0)
		return fail(EINVAL, "loginuid is \"%s\"", text);
	return 1;
}

static int dump_loginuid(const struct dump *d, struct thread *thread)
{
	TaskCoreEntry *tc = thread->core->tc;
	int known;

	if (thread != thread->task->leader)
		return 0;
	known = find_loginuid(thread, &tc->loginuid);
	if (known <= 0)
		return known;
	tc->has_loginuid = true;
	if (d->facts->ids && d->tree->root->leader->core->tc->loginuid != tc->loginuid)
		log_warn(
			"its loginuid %u is not that of the root of the tree, whose it will have after a restore: in a "
			"user namespace only the root can be given one",
			tc->loginuid);
	return 0;
}

/* With a user namespace of its own a tree is born with that of its root (object/namespace/user-restore.c). */
static uint32_t read_loginuid(const struct restore *r)
{
	const TaskCoreEntry *root = r->tree->root->leader->core->tc;

	return r->facts->ids && root->has_loginuid ? root->loginuid : restore_self_of(r)->loginuid;
}

static bool must_write(const struct restore *r, const struct thread *thread)
{
	const TaskCoreEntry *tc = thread->core->tc;

	return thread == thread->task->leader && tc->has_loginuid && tc->loginuid != UINT32_MAX &&
	       tc->loginuid != read_loginuid(r);
}

/* Before the root directory changes. */
static int plan_loginuid(struct restore *r, struct thread *thread, struct plan *plan)
{
	static const char path[] = "/proc/self/loginuid";
	const char *text;

	if (!must_write(r, thread))
		return 0;
	if (r->facts->ids || thread->task->restore->inner_users) {
		log_warn("its loginuid %u is not that of the root of the tree: it gets that one, %u",
			 thread->core->tc->loginuid, read_loginuid(r));
		return 0;
	}
	text = pool_printf(r->pool, "%u", thread->core->tc->loginuid);
	plan_syscall(plan, "open /proc/self/loginuid", __NR_openat, V(AT_FDCWD), D(plan_data(plan, path, sizeof(path))),
		     V(O_WRONLY | O_CLOEXEC))
		->to_slot = 1;
	plan_syscall(plan, "set the loginuid (CAP_AUDIT_CONTROL?)", __NR_write, S(1),
		     D(plan_data(plan, text, strlen(text))), V(strlen(text)));
	plan_syscall(plan, "close /proc/self/loginuid", __NR_close, S(1));
	return 0;
}

const struct task_part loginuid_part = {
	.name = "loginuid",
	.aside = dump_loginuid,
	.plan = plan_loginuid,
};
