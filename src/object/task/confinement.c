/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a security module says of a thread: its AppArmor profile, its SELinux context; /proc/PID/attr. Only a thread
 * itself can take one over, and a profile seldom lets it do what a restore must. Restored tasks have the confinement of
 * criu; a program is never less confined than before without a word, so another one is refused.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "kern/proc/proc.h"
#include "object/task/host.h"
#include "object/task/part.h"
#include "session/loss.h"

#define UNCONFINED "unconfined" /* AppArmor's word */

/* An image names a profile without its mode: "docker-default (enforce)". */
static void cut_mode(char *label)
{
	char *mode = strstr(label, " (");

	if (mode && label[strlen(label) - 1] == ')')
		*mode = '\0';
}

/* What the next program, file, key or socket shall have, see setexeccon(3) and aa_change_onexec(2). */
static int tell_prepared(struct dump *d, int proc)
{
	static const char *const names[] = { "attr/exec", "attr/fscreate", "attr/keycreate", "attr/sockcreate" };
	char label[LABEL_SIZE];

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		TRY(host_read_label(proc, names[i], label));
		if (*label)
			dump_report_loss(d, "the label \"%s\" that it has prepared (/proc/PID/%s)", label, names[i]);
	}
	return 0;
}

static int dump_confinement(struct dump *d, struct thread *thread)
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
		return refuse(EOPNOTSUPP,
			      "is confined by a security module as \"%s\", and criu as \"%s\": a restored task would "
			      "have that of criu; start criu in the same confinement (aa-exec, runcon), or the program "
			      "without",
			      label, task_host_of_dump(d)->label);
	cut_mode(label);
	if (*label && strcmp(label, UNCONFINED) != 0 && creds)
		creds->lsm_profile = pool_string(d->pool, label);
	return 0;
}

static int check_confinement(struct restore *r, struct thread *thread)
{
	const CredsEntry *creds = thread->core->thread_core->creds;
	char own[LABEL_SIZE];

	if (!creds || !creds->lsm_profile || !*creds->lsm_profile)
		return 0;
	snprintf(own, sizeof(own), "%s", task_host_of_restore(r)->label);
	cut_mode(own);
	if (!strcmp(own, creds->lsm_profile))
		return 0;
	return refuse(EPERM,
		      "was confined by a security module as \"%.256s\", and criu is as \"%s\": start criu in the same "
		      "confinement (aa-exec, runcon)",
		      creds->lsm_profile, own);
}

const struct task_part confinement_part = {
	.name = "confinement",
	.outside = dump_confinement,
	.check = check_confinement,
};
