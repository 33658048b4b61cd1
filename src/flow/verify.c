/* SPDX-License-Identifier: GPL-2.0-only */
/* The story of criu verify: load as a restore does, look through every image for damage, ask what the restore will
 * need. */
#include "flow/verify.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "arch_cpu.h"
#include "base/auto.h"
#include "base/fail.h"
#include "base/file.h"
#include "base/table.h"
#include "base/text.h"
#include "base/workers.h"
#include "engine/engine.h"
#include "flow/cpuinfo.h"
#include "flow/restore/load.h"
#include "flow/restore/pid-wait.h"
#include "flow/verify-facts.h"
#include "image/checksums.h"
#include "image/inventory.h"
#include "image/record.h"
#include "image/scan.h"
#include "image/store.h"
#include "image/table.h"
#include "kern/pidfd.h"
#include "kern/proc/proc.h"
#include "kern/proc/stat.h"
#include "session/images.h"
#include "session/loss.h"
#include "session/stats.h"
#include "session/survey.h"

#define LINES_ALIKE 100 /* every missing file is worth a line */

/* --- every image --- */

struct image_scan {
	struct store *store;
	struct verified *ret;
	int error;
};

static int scan_file(void *arg, const char *name)
{
	struct image_scan *scan = arg;
	struct image_contents contents = { 0 };
	enum image_id id;
	uint64_t number;
	int error;

	if (image_parse_name(name, &id, &number) < 0) {
		scan->ret->other_files++;
		return 0;
	}
	scan->ret->images++;
	error = image_scan(scan->store, id, number, &contents);
	scan->ret->image_bytes += contents.size;
	if (error < 0 && !scan->error)
		scan->error = error;
	return 0;
}

static int scan_all(struct store *store, struct verified *ret)
{
	struct image_scan scan = { store, ret, 0 };
	struct workers *workers;
	int error;

	TRY(store_list(store, scan_file, &scan));
	workers = workers_create(0);
	error = checksums_check(store, workers);
	workers_destroy(&workers);
	return scan.error ?: error;
}

/* --- can it be restored here? --- */

/* Also a zombie has it, and the session or group that it made, after its end. */
static bool is_free(const struct thread *thread)
{
	const struct task *task = thread->task;
	AUTO_CLOSE int pidfd = pidfd_of_process(thread->vtid);

	if (pidfd != -ESRCH || kill(thread->vtid, 0) == 0 || errno != ESRCH)
		return false;
	return (thread->vtid != task->vsid && thread->vtid != task->vpgid) || !restore_pid_has_members(thread->vtid);
}

static bool has_ended(pid_t pid, struct proc_stat *stat)
{
	AUTO_CLOSE int proc = proc_open(pid);

	return proc == -ENOENT || proc == -ESRCH ||
	       (proc >= 0 && proc_stat_read(proc, stat) == 0 && (stat->state == 'Z' || stat->state == 'X'));
}

/* As a restore does, it waits for the dead to be reaped: so long for all of them. */
static int check_pid(struct restore *r, const struct thread *thread, unsigned *waited_ms)
{
	struct proc_stat stat = { .comm = "?" };
	bool free;

	while (!(free = is_free(thread)) && has_ended(thread->vtid, &stat))
		TRY(restore_wait_for_pid(r, thread->vtid, waited_ms));
	if (free)
		return 0;
	return refuse(EEXIST,
		      "the %s %d is in use by %s: end that process, or restore into a new pid namespace (--new-pidns)",
		      thread == thread->task->leader ? "pid" : "tid", thread->vtid, stat.comm);
}

static int check_highest(pid_t highest)
{
	char text[32];
	long max;

	if (file_read_text(AT_FDCWD, "/proc/sys/kernel/pid_max", text, sizeof(text)) <= 0)
		return 0;
	max = strtol(text, NULL, 10);
	if (highest < max)
		return 0;
	return refuse(ERANGE, "the pid %d is not below %ld, the limit of this machine: raise /proc/sys/kernel/pid_max",
		      highest, max);
}

static int check_pids(struct restore *r)
{
	struct task *task;
	struct thread *thread;
	unsigned waited_ms = 0;
	pid_t highest = 0;
	int first = 0;

	for_each_task(task, r->tree) {
		for_each_thread(thread, task) {
			int error = r->options->new_pidns || r->options->copies ||
						    (task->state == TASK_DEAD && thread != task->leader)
					    ? 0
					    : check_pid(r, thread, &waited_ms);

			first = first ?: error;
			highest = thread->vtid > highest ? thread->vtid : highest;
		}
	}
	return first ?: check_highest(highest);
}

/* A session or a group that is led from outside is that of the shell that criu restore is a job of. */
static void need_sessions(struct restore *r)
{
	struct task *task;

	for_each_task(task, r->tree)
		if (task->state != TASK_HELPER && !task_tree_find(r->tree, task->vsid))
			(void)needs_add(r, NEED_OPTION, "--shell-job", "session %d is led from outside of the tree",
					task->vsid);
}

static int check_features(struct verified *ret)
{
	int first = 0;

	for (size_t i = 0; i < ret->features.n; i++)
		if (ret->features.items[i].there == 0)
			first = needs_refuse_kernel(ret->features.items[i].id);
	return first;
}

static int check_cpu(struct restore *r, struct verified *ret)
{
	unsigned modes = r->options->cpu_cap & OPT_CPU_ALL;
	CpuinfoEntry *record;
	int error = image_read_one(r->store, IMAGE_CPUINFO, &record);

	if (error == -ENOENT)
		return 0;
	TRY(error);
	ret->cpu_model = arch_cpu_model(record) ? pool_string(ret->pool, arch_cpu_model(record)) : NULL;
	/* Asked for by name, "none" is none: a restore would not look either. */
	if (!modes && r->options->cpu_cap_given)
		return 0;
	return cpuinfo_check(r->store, modes ?: OPT_CPU_ALL);
}

static int check_world(struct restore *r, struct verified *ret)
{
	int error, first;

	need_sessions(r);
	first = r->progress->damage = 0;
	TRY(phase_restore_needs(r));
	if (r->options->copies)
		TRY(phase_restore_copies(r));
	verify_add_features(r, ret);
	first = r->progress->damage;
	if (r->inventory->allow_uprobes)
		(void)needs_add(r, NEED_OPTION, "--allow-uprobes", "the dump was told to accept uprobes");
	error = r->facts->inner_pids ? 0 : check_pids(r);
	first = first ?: error;
	error = check_cpu(r, ret);
	first = first ?: error;
	error = check_features(ret);
	return first ?: error;
}

/* --- sorting --- */

static bool has_text(const struct findings *findings, const char *text)
{
	for (size_t i = 0; i < findings->list.n; i++)
		if (!strcmp(findings->list.items[i].text, text))
			return true;
	return false;
}

/* What was found while loading: said already by the scan, something that this version or this user cannot do, or
 * damage.
 */
static void sort_findings(struct restore *r, struct findings *loading, struct verified *ret)
{
	for (size_t i = 0; i < loading->list.n; i++) {
		struct finding *finding = &loading->list.items[i];
		bool known = has_text(&ret->damage, finding->text);
		struct findings *to = &ret->damage;

		if (finding->error == EOPNOTSUPP || finding->error == EPERM)
			to = &ret->obstacles;
		if (finding->error == EPERM && geteuid() != 0) {
			(void)needs_add(r, NEED_RIGHTS, "root", "%s%s%s", finding->scopes, *finding->scopes ? ": " : "",
					finding->text);
			known = true;
		}
		if (known) {
			free(finding->text);
			free(finding->scopes);
			continue;
		}
		*vector_push(&to->list) = *finding;
	}
	vector_done(&loading->list);
	for (size_t i = 0; i < loading->warnings.n; i++)
		*vector_push(&ret->obstacles.warnings) = loading->warnings.items[i];
	vector_done(&loading->warnings);
}

/* Images of a dump with --tcp-close are read as a restore with it would. */
static void adopt_options(struct store *store, struct options *own)
{
	struct findings unheard = { .quiet = true };
	struct inventory inventory = { 0 };

	findings_begin(&unheard);
	if (inventory_read(store, &inventory) == 0) {
		own->tcp_close |= inventory.tcp_close;
		own->allow_uprobes |= inventory.allow_uprobes;
	}
	findings_end(&unheard);
	findings_done(&unheard);
}

static void look_at_images(struct restore *r, struct verified *ret)
{
	struct findings loading = { .quiet = true, .alike = LINES_ALIKE };

	findings_begin(&loading);
	ret->linked = restore_load(r) == 0;
	findings_end(&loading);

	findings_begin(&ret->damage);
	(void)scan_all(r->store, ret); /* all is in the findings */
	findings_end(&ret->damage);
	sort_findings(r, &loading, ret);

	findings_begin(&ret->obstacles);
	restore_tell_losses(r);
	verify_collect_facts(r, ret);
	if (ret->linked)
		(void)check_world(r, ret);
	findings_end(&ret->obstacles);
}

int verify_run(const struct options *options, struct verified *ret)
{
	struct options own = *options;
	struct restore r = { .needs = &ret->needs };
	int error;

	ret->damage.quiet = ret->obstacles.quiet = true;
	ret->damage.alike = ret->obstacles.alike = LINES_ALIKE;
	restore_session_begin(&r, &own);
	ret->pool = r.pool;
	error = images_open(options, false, &r.store);
	if (error == 0) {
		adopt_options(r.store, &own);
		look_at_images(&r, ret);
	}
	phase_restore_end(&r);
	ret->pool = restore_session_end_but_pool(&r);
	if (error == 0 && (ret->damage.list.n || ret->obstacles.list.n || !ret->linked))
		error = -EINVAL;
	return error;
}

void verify_done(struct verified *verified)
{
	findings_done(&verified->damage);
	findings_done(&verified->obstacles);
	vector_done(&verified->tasks);
	vector_done(&verified->files);
	vector_done(&verified->features);
	vector_done(&verified->plugins);
	vector_done(&verified->needs.list);
	pool_destroy(&verified->pool);
}
