/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a security module says of a thread: its AppArmor profile, its SELinux context; /proc/PID/attr. Only a thread
 * itself can take one over, and a profile seldom lets it do what a restore must: so that comes last, by a file that was
 * opened before. What cannot be given back is refused: a program is never less confined than before without a word.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/auto.h"
#include "base/fail.h"
#include "base/file.h"
#include "base/text.h"
#include "image/inventory.h"
#include "kern/proc/proc.h"
#include "object/task/host.h"
#include "object/task/part.h"
#include "plan/plan.h"
#include "session/loss.h"

#define UNCONFINED "unconfined" /* AppArmor's word */

#define SLOT_PROC  1
#define SLOT_FIRST 2
#define SLOT_LABEL 14 /* until the last plan */

/* An image names a profile without its mode: "docker-default (enforce)". */
static void cut_mode(char *label)
{
	char *mode = strstr(label, " (");

	if (mode && label[strlen(label) - 1] == ')')
		*mode = '\0';
}

static bool has_apparmor(void)
{
	char text[8] = "";

	return file_read_text(AT_FDCWD, "/sys/module/apparmor/parameters/enabled", text, sizeof(text)) > 0 &&
	       text[0] == 'Y';
}

/* What the next program, file, key or socket shall have, see setexeccon(3) and aa_change_onexec(2). */
static int tell_prepared(const struct dump *d, int proc)
{
	static const char *const names[] = { "attr/exec", "attr/fscreate", "attr/keycreate", "attr/sockcreate" };
	char label[LABEL_SIZE];

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		TRY(host_read_label(proc, names[i], label));
		if (*label)
			dump_report_loss(d, "the label \"%s\" that it has prepared (/proc/PID/%s)", label, names[i]);
	}
	return 0;
}

/* Another one than criu's: only AppArmor lets a task with threads take it over, and only who is not confined. */
static int check_other(const char *label, const char *own)
{
	if (has_apparmor() && !strcmp(own, UNCONFINED))
		return 0;
	return refuse(EOPNOTSUPP,
		      "is confined by a security module as \"%s\", and criu as \"%s\": a restored task would "
		      "have that of criu; start criu in the same confinement (aa-exec, runcon), or the program "
		      "without",
		      label, own);
}

int confinement_check_same(const struct dump *d, const struct task *task, const char *whose)
{
	char label[LABEL_SIZE];

	if (!*task_host_of_dump(d)->label)
		return 0;
	TRY(host_read_label(task->dump->proc, "attr/current", label));
	if (!strcmp(label, task_host_of_dump(d)->label))
		return 0;
	return refuse(EOPNOTSUPP,
		      "%s would not be confined any more by a security module as \"%s\": that cannot be saved yet",
		      whose, label);
}

static int dump_confinement(const struct dump *d, struct thread *thread)
{
	CredsEntry *creds = thread->core->thread_core->creds;
	AUTO_CLOSE int proc = -1;
	char label[LABEL_SIZE];

	if (!*task_host_of_dump(d)->label)
		return 0; /* so nobody has one */
	proc = proc_open_thread(thread->task->dump->proc, thread->tid);
	TRY(proc);
	TRY(host_read_label(proc, "attr/current", label));
	TRY(tell_prepared(d, proc));
	if (strcmp(label, task_host_of_dump(d)->label) != 0)
		TRY(check_other(label, task_host_of_dump(d)->label));
	cut_mode(label);
	if (*label && strcmp(label, UNCONFINED) != 0 && creds)
		creds->lsm_profile = pool_string(d->pool, label);
	return 0;
}

/* --- restore --- */

/* The one it shall have: NULL = whatever criu has. */
static const char *wanted_label(const struct restore *r, const struct thread *thread)
{
	const CredsEntry *creds = thread->core->thread_core->creds;
	const char *option = r->options->lsm_profile;

	if (option && text_starts(option, "none:"))
		return NULL;
	/* LXC asks for it on machines without AppArmor, too. */
	if (option && !strcmp(option, "apparmor:" UNCONFINED) && !*task_host_of_restore(r)->label)
		return NULL;
	if (option)
		return strchr(option, ':') + 1;
	return creds && creds->lsm_profile && *creds->lsm_profile ? creds->lsm_profile : NULL;
}

static bool is_for_selinux(const struct restore *r)
{
	if (r->options->lsm_profile)
		return text_starts(r->options->lsm_profile, "selinux:");
	return r->inventory && r->inventory->has_lsm && r->inventory->lsm == LSMTYPE__SELINUX;
}

/* Lines as "docker-default (enforce)". Where the list is not to be seen, the kernel will tell. */
static bool may_be_loaded(const char *name)
{
	char *list = NULL, *line, *rest;
	size_t length = strlen(name);
	bool found = false;

	if (file_read_all(AT_FDCWD, "/sys/kernel/security/apparmor/profiles", &list, NULL) < 0)
		return true;
	for (rest = list; !found && (line = strsep(&rest, "\n"));)
		found = !strncmp(line, name, length) && text_starts(line + length, " (");
	free(list);
	return found || strstr(name, "//&") || name[0] == ':';
}

static int check_confinement(const struct restore *r, struct thread *thread)
{
	const char *label = wanted_label(r, thread);
	char own[LABEL_SIZE];

	if (!label)
		return 0;
	snprintf(own, sizeof(own), "%s", task_host_of_restore(r)->label);
	cut_mode(own);
	if (!strcmp(own, label) || is_for_selinux(r))
		return 0;
	if (!has_apparmor() || (strcmp(own, UNCONFINED) != 0 && !r->options->lsm_profile))
		return refuse(
			EPERM,
			"was confined by a security module as \"%.256s\", and criu is as \"%s\": start criu in the "
			"same confinement (aa-exec, runcon), or name another one (--lsm-profile)",
			label, own);
	if (may_be_loaded(label))
		return 0;
	return refuse(ENOENT,
		      "was confined by the AppArmor profile \"%.256s\", which is not loaded: load it "
		      "(apparmor_parser), or name another one (--lsm-profile)",
		      label);
}

static bool changes_label(struct restore *r, const struct thread *thread)
{
	const char *label = wanted_label(r, thread);
	char own[LABEL_SIZE];

	if (!label)
		return false;
	snprintf(own, sizeof(own), "%s", task_host_of_restore(r)->label);
	cut_mode(own);
	return strcmp(own, label) != 0;
}

/*
 * Each thread opens its own file: only who has opened it may write. /proc is ours, as the task may have none. The
 * number is one that no descriptor of the task has or needs for a while.
 */
static int plan_confinement(struct restore *r, struct thread *thread, struct plan *plan)
{
	const struct task *task = thread->task;
	const char *path;

	if (!changes_label(r, thread))
		return 0;
	/* As it will be there, should it not be made yet. */
	path = pool_printf(r->pool, "task/%d/attr/%scurrent", thread->tid ?: thread->vtid,
			   is_for_selinux(r) ? "" : "apparmor/");
	plan_step(plan, "fetch its directory in /proc", STEP_GETFD,
		  (struct plan_arg[]){ V(task->restore->coordinator_fd), V(task->restore->proc), V(-1), V(0) }, 4)
		->to_slot = SLOT_PROC;
	plan_syscall(plan, "open attr/current", __NR_openat, S(SLOT_PROC), D(plan_data(plan, path, strlen(path) + 1)),
		     V(O_WRONLY | O_CLOEXEC))
		->to_slot = SLOT_FIRST;
	plan_syscall(plan, "close its directory in /proc", __NR_close, S(SLOT_PROC));
	plan_syscall(plan, "put attr/current aside", __NR_fcntl, S(SLOT_FIRST), V(F_DUPFD_CLOEXEC),
		     V(task->restore->coordinator_fd + 1))
		->to_slot = SLOT_LABEL;
	plan_syscall(plan, "close attr/current", __NR_close, S(SLOT_FIRST));
	return 0;
}

static int take_over(struct restore *r, struct thread *thread, struct plan *plan)
{
	const char *label = wanted_label(r, thread), *text;

	if (!changes_label(r, thread))
		return 0;
	text = is_for_selinux(r) ? label : pool_printf(r->pool, "changeprofile %s", label);
	plan_syscall(plan, plan_why(plan, "take over the confinement \"%.256s\" (is it loaded?)", label), __NR_write,
		     S(SLOT_LABEL), D(plan_data(plan, text, strlen(text))), V(strlen(text)));
	plan_syscall(plan, "close attr/current", __NR_close, S(SLOT_LABEL));
	return 0;
}

const struct task_part confinement_part = {
	.name = "confinement",
	.outside = dump_confinement,
	.check = check_confinement,
	.plan = plan_confinement,
	.last = take_over,
};
