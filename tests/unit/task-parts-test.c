/* SPDX-License-Identifier: GPL-2.0-only */
/* Records of processes and threads: the damaged ones are refused, credentials and filters become steps in the right
 * order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/securebits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>

#include "base/array.h"
#include "base/fail.h"
#include "base/pool.h"
#include "base/table.h"
#include "base/auto.h"
#include "image/image.h"
#include "image/record.h"
#include "image/store-memory.h"
#include "object/task/credentials/credentials.h"
#include "object/task/credentials/plan.h"
#include "object/task/part.h"
#include "object/task/seccomp/chain.h"
#include "object/task/self.h"
#include "plan/plan.h"

/* --- a small whole: one process with one thread, all records in order --- */

struct scene {
	struct options options;
	struct restore r;
	struct task *task;
	struct thread *thread;
	TaskCoreEntry *tc;
	ThreadCoreEntry *thread_core;
};

static const struct task_part *find_part(const char *name)
{
	for (const struct task_part *const *part = task_parts; *part; part++)
		if (!strcmp((*part)->name, name))
			return *part;
	print_error("there is no part %s\n", name);
	assert_true(false);
	return NULL;
}

static CredsEntry *root_credentials(struct pool *pool)
{
	CredsEntry *creds = pool_new(pool, CredsEntry);

	creds_entry__init(creds);
	creds->n_cap_prm = creds->n_cap_eff = creds->n_cap_bnd = creds->n_cap_inh = 2;
	creds->cap_prm = pool_array(pool, uint32_t, 2);
	creds->cap_eff = pool_array(pool, uint32_t, 2);
	creds->cap_bnd = pool_array(pool, uint32_t, 2);
	creds->cap_inh = pool_array(pool, uint32_t, 2);
	return creds;
}

static void fill_records(struct scene *s)
{
	struct pool *pool = s->r.pool;

	task_core_entry__init(s->tc);
	s->tc->comm = pool_string(pool, "subject");
	s->tc->n_sigactions = 62;
	s->tc->sigactions = pool_array(pool, SaEntry *, 62);
	for (int i = 0; i < 62; i++) {
		s->tc->sigactions[i] = pool_new(pool, SaEntry);
		sa_entry__init(s->tc->sigactions[i]);
	}
	thread_core_entry__init(s->thread_core);
	s->thread_core->futex_rla_len = 24;
	s->thread_core->creds = root_credentials(pool);
}

static int set_up(void **state)
{
	struct scene *s = xzalloc(sizeof(*s));

	restore_session_begin(&s->r, &s->options);
	s->r.store = store_create_memory();
	s->task = task_tree_add(s->r.tree, NULL, 100);
	s->task->vpid = 100;
	s->task->state = TASK_ALIVE;
	s->thread = s->task->leader;
	s->thread->vtid = 100;
	s->thread->core = pool_new(s->r.pool, CoreEntry);
	core_entry__init(s->thread->core);
	s->thread->core->tc = s->tc = pool_new(s->r.pool, TaskCoreEntry);
	s->thread->core->thread_core = s->thread_core = pool_new(s->r.pool, ThreadCoreEntry);
	s->task->mm = pool_new(s->r.pool, MmEntry);
	mm_entry__init(s->task->mm);
	s->task->restore = pool_new(s->r.pool, struct task_restore);
	s->task->restore->proc = s->task->restore->pidfd = -1;
	fill_records(s);
	assert_int_equal(self_read(&s->r), 0);
	assert_int_equal(find_part("seccomp")->load(&s->r), 0);
	*state = s;
	return 0;
}

static int tear_down(void **state)
{
	struct scene *s = *state;

	restore_session_end(&s->r);
	free(s);
	failure_reset();
	return 0;
}

static int check(struct scene *s, const char *part)
{
	return find_part(part)->check(&s->r, s->thread);
}

/* Changes one member, expects a refusal, puts it back. */
#define REFUSED(part, member, value, error)                 \
	do {                                                \
		__typeof__(member) saved_ = (member);       \
		assert_int_equal(check(s, part), 0);        \
		(member) = (value);                         \
		assert_int_equal(check(s, part), -(error)); \
		(member) = saved_;                          \
	} while (0)

static void damaged_records(void **state)
{
	struct scene *s = *state;
	struct pool *pool = s->r.pool;

	REFUSED("signal-actions", s->tc->n_sigactions, 61, EINVAL);
	REFUSED("signal-actions", s->tc->sigactions[3]->compat_sigaction, 1, EINVAL);
	REFUSED("robust-list", s->thread_core->futex_rla_len, 12, EINVAL);
	REFUSED("scheduling", s->thread_core->sched_policy, 99, EINVAL);
	REFUSED("scheduling", s->thread_core->sched_policy, 6, EOPNOTSUPP);
	REFUSED("scheduling", s->thread_core->sched_policy, 1, EINVAL); /* real-time without a priority */
	REFUSED("scheduling", s->thread_core->sched_prio, 5, EINVAL);
	REFUSED("scheduling", s->thread_core->sched_nice, 20, EINVAL);
	REFUSED("oom-score", s->tc->oom_score_adj, -1001, EINVAL);
	REFUSED("membarrier", s->tc->membarrier_registration_mask, 1, EINVAL);
	REFUSED("credentials", s->thread_core->creds, NULL, EINVAL);
	REFUSED("credentials", s->thread_core->creds->n_cap_prm, 3, EINVAL);
	REFUSED("credentials", s->thread_core->creds->n_groups, 65537, EINVAL);
	REFUSED("credentials", s->thread_core->creds->cap_prm[1], 1u << 31, EPERM);
	s->thread_core->has_seccomp_mode = true;
	REFUSED("seccomp", s->thread_core->seccomp_mode, SECCOMP_MODE__filter, EINVAL);
	s->tc->has_stop_signo = true;
	s->tc->stop_signo = 19;
	REFUSED("state", s->tc->stop_signo, 65, EINVAL);
	s->thread_core->rseq_entry = pool_new(pool, RseqEntry);
	rseq_entry__init(s->thread_core->rseq_entry);
	s->thread_core->rseq_entry->rseq_abi_pointer = 0x7000;
	s->thread_core->rseq_entry->rseq_abi_size = 32;
	REFUSED("rseq", s->thread_core->rseq_entry->rseq_abi_pointer, 0x7001, EINVAL);
	REFUSED("rseq", s->thread_core->rseq_entry->rseq_abi_size, 16, EINVAL);
	s->thread_core->sas = pool_new(pool, ThreadSasEntry);
	thread_sas_entry__init(s->thread_core->sas);
	REFUSED("signal-stack", s->thread_core->sas->ss_flags, 8, EINVAL);
	s->task->mm->has_dumpable = true;
	REFUSED("prctl", s->task->mm->dumpable, 1000, EINVAL);
	REFUSED("prctl", s->task->mm->dumpable, -7, EINVAL);
}

static void damaged_limits(void **state)
{
	struct scene *s = *state;
	RlimitEntry limit = RLIMIT_ENTRY__INIT, *limits[RLIM_NLIMITS + 1];
	TaskRlimitsEntry record = TASK_RLIMITS_ENTRY__INIT;

	for (int i = 0; i <= RLIM_NLIMITS; i++)
		limits[i] = &limit;
	record.n_rlimits = RLIM_NLIMITS;
	record.rlimits = limits;
	s->tc->rlimits = &record;
	REFUSED("limits", record.n_rlimits, RLIM_NLIMITS + 1, EINVAL);
	REFUSED("limits", limit.cur, 1, EINVAL);

	/* Ours is lower and may not be raised: both fall, or it is an error. */
	restore_self_of(&s->r)->status.cap_effective = 0;
	restore_self_of(&s->r)->limits[RLIMIT_NOFILE].rlim_max = 100;
	limit.cur = 100;
	limit.max = 200;
	restore_self_of(&s->r)->limits[RLIMIT_NICE].rlim_max = restore_self_of(&s->r)->limits[RLIMIT_RTPRIO].rlim_max =
		1000;
	for (int i = 0; i < RLIM_NLIMITS; i++)
		if (i != RLIMIT_NOFILE)
			restore_self_of(&s->r)->limits[i].rlim_max = RLIM_INFINITY;
	assert_int_equal(check(s, "limits"), 0);
	failure_reset();
	limit.cur = 101;
	assert_int_equal(check(s, "limits"), 0);
	s->options.strict_rlimits = true;
	assert_int_equal(check(s, "limits"), -EPERM);
	assert_non_null(strstr(failure_text(), "open files"));
	restore_self_of(&s->r)->status.cap_effective = 1ull << CAP_SYS_RESOURCE;
	assert_int_equal(check(s, "limits"), 0);
}

static void damaged_signals(void **state)
{
	struct scene *s = *state;
	SignalQueueEntry queue = SIGNAL_QUEUE_ENTRY__INIT;
	SiginfoEntry entry = SIGINFO_ENTRY__INIT, *entries[1] = { &entry };
	int32_t info[32] = { SIGUSR1 };

	entry.siginfo.data = (uint8_t *)info;
	entry.siginfo.len = sizeof(info);
	queue.n_signals = 1;
	queue.signals = entries;
	s->tc->signals_s = &queue;
	REFUSED("signal-queue", entry.siginfo.len, 127, EINVAL);
	REFUSED("signal-queue", info[0], 0, EINVAL);
	REFUSED("signal-queue", info[0], 65, EINVAL);
	REFUSED("signal-queue", info[0], SIGKILL, EINVAL);
	s->tc->signals_s = NULL;
	s->thread_core->signals_p = &queue;
	REFUSED("signal-queue", info[0], SIGKILL, EINVAL);
	/* It came during the dump. */
	info[0] = SIGSTOP;
	assert_int_equal(find_part("signal-queue")->check(&s->r, s->thread), 0);
	assert_int_equal(s->task->state, TASK_STOPPED);
}

static void damaged_timers(void **state)
{
	struct scene *s = *state;
	ItimerEntry itimer = ITIMER_ENTRY__INIT;
	PosixTimerEntry a = POSIX_TIMER_ENTRY__INIT, b = POSIX_TIMER_ENTRY__INIT, *timers[2] = { &a, &b };
	TaskTimersEntry record = TASK_TIMERS_ENTRY__INIT;

	record.real = record.virt = record.prof = &itimer;
	record.n_posix = 2;
	record.posix = timers;
	a.it_id = 7;
	b.it_id = 3;
	s->tc->timers = &record;
	REFUSED("timers", itimer.vusec, 1000000, EINVAL);
	REFUSED("timers", record.prof, NULL, EINVAL);
	REFUSED("timers", a.vnsec, 1000000000, EINVAL);
	REFUSED("timers", b.it_sigev_notify, 8, EINVAL);
	REFUSED("timers", b.si_signo, 65, EINVAL);
	REFUSED("timers", b.it_id, 7, EINVAL);
	/* They are sorted, for those who count up to their id. */
	assert_int_equal(check(s, "timers"), 0);
	assert_ptr_equal(timers[0], &b);
	assert_ptr_equal(timers[1], &a);
}

/* Of an alarm clock: what this machine lacks is told before anything is made. */
static void alarm_timers(void **state)
{
	struct scene *s = *state;
	ItimerEntry itimer = ITIMER_ENTRY__INIT;
	TaskTimersEntry record = TASK_TIMERS_ENTRY__INIT;
	PosixTimerEntry timer = POSIX_TIMER_ENTRY__INIT, *timers[1] = { &timer };
	struct sigevent event = { .sigev_notify = SIGEV_NONE };
	bool lacks = timer_create(CLOCK_BOOTTIME_ALARM, &event, &(timer_t){ 0 }) < 0 && errno == EOPNOTSUPP;

	record.real = record.virt = record.prof = &itimer;
	record.posix = timers;
	record.n_posix = 1;
	s->tc->timers = &record;
	timer.clock_id = CLOCK_BOOTTIME;
	assert_int_equal(check(s, "timers"), 0);
	timer.clock_id = CLOCK_BOOTTIME_ALARM;
	assert_int_equal(check(s, "timers"), lacks ? -ENOSYS : 0);
}

static void zombies(void **state)
{
	static const struct {
		uint32_t status;
		int result;
	} cases[] = {
		{ 0, 0 },
		{ 42 << 8, 0 },
		{ 9, 0 },
		{ 11 | 0x80, 0 },
		{ 0x7f, -EINVAL },
		{ 70, -EINVAL },
		{ 0x12345, -EINVAL },
		{ 0x10000, -EINVAL },
	};
	struct scene *s = *state;

	s->task->state = TASK_DEAD;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		s->tc->exit_code = cases[i].status;
		assert_int_equal(check(s, "zombie"), cases[i].result);
	}
	/* Only the part for zombies acts: the others would miss thread_core. */
	s->thread->core->thread_core = NULL;
	s->tc->exit_code = 0;
	assert_int_equal(parts_restore_check(&s->r, s->thread), 0);
	s->task->state = TASK_ALIVE;
	assert_int_equal(parts_restore_check(&s->r, s->thread), -EINVAL);
}

/* What CRIU kept in images of its own is found there. */
static void older_images(void **state)
{
	struct scene *s = *state;
	AUTO(image_close) struct image *image = NULL;
	SaEntry action = SA_ENTRY__INIT;
	SiginfoEntry info = SIGINFO_ENTRY__INIT;
	RlimitEntry limit = { PROTOBUF_C_MESSAGE_INIT(&rlimit_entry__descriptor), 5, 6 };
	ItimerEntry itimer = ITIMER_ENTRY__INIT;
	CredsEntry *creds = s->thread_core->creds;
	struct options options = { 0 };

	s->thread_core->creds = NULL;
	s->tc->n_sigactions = 0;
	creds->uid = 77;
	action.sigaction = 0x1234;
	assert_int_equal(image_write_one(s->r.store, IMAGE_CREDS, creds, 100), 0);
	assert_int_equal(image_create(s->r.store, &image, IMAGE_SIGACT, 100), 0);
	for (int i = 0; i < 62; i++)
		assert_int_equal(image_write(image, &action), 0);
	assert_int_equal(image_finish(&image), 0);
	assert_int_equal(image_create(s->r.store, &image, IMAGE_SIGNAL_PRIVATE, 100), 0);
	assert_int_equal(image_write(image, &info), 0);
	assert_int_equal(image_finish(&image), 0);
	assert_int_equal(image_create(s->r.store, &image, IMAGE_RLIMIT, 100), 0);
	assert_int_equal(image_write(image, &limit), 0);
	assert_int_equal(image_finish(&image), 0);
	assert_int_equal(image_create(s->r.store, &image, IMAGE_ITIMERS, 100), 0);
	itimer.vsec = 9;
	for (int i = 0; i < 3; i++)
		assert_int_equal(image_write(image, &itimer), 0);
	assert_int_equal(image_finish(&image), 0);

	s->r.options = &options;
	assert_int_equal(check(s, "older-images"), -EINVAL);
	options.deprecated = true;
	s->tc->rlimits = NULL;
	assert_int_equal(check(s, "older-images"), 0);
	assert_int_equal(s->thread_core->creds->uid, 77);
	assert_int_equal(s->tc->n_sigactions, 62);
	assert_int_equal(s->tc->sigactions[61]->sigaction, 0x1234);
	assert_int_equal(s->thread_core->signals_p->n_signals, 1);
	assert_int_equal(s->tc->signals_s->n_signals, 0);
	assert_int_equal(s->tc->rlimits->rlimits[0]->max, 6);
	assert_int_equal(s->tc->timers->prof->vsec, 9);
	assert_int_equal(s->tc->timers->n_posix, 0);
}

/* --- credentials --- */

static struct credentials full(void)
{
	return (struct credentials){ .permitted = 0x1ff, .effective = 0x1ff, .bounding = 0x1ff };
}

static size_t steps_of(const struct credentials *want, const struct credentials *own)
{
	struct plan *plan = plan_create();
	size_t n;

	credentials_plan(plan, want, own);
	n = plan_count(plan);
	plan_destroy(&plan);
	return n;
}

/* The place of the first step with this reason, at or after a place. */
static size_t place(const struct plan *plan, const char *why, size_t from)
{
	for (size_t i = from; i < plan_count(plan); i++)
		if (!strcmp(plan_step_why(plan, i), why))
			return i;
	print_error("no step \"%s\"\n", why);
	assert_true(false);
	return 0;
}

static void credential_steps(void **state)
{
	struct credentials own = full(), want = full();
	uint32_t groups[] = { 5, 6 };
	struct plan *plan = plan_create();
	size_t bits, uids, caps, ambient, drop;

	assert_int_equal(steps_of(&want, &own), 0);
	want.no_new_privs = true;
	assert_int_equal(steps_of(&want, &own), 1);
	own.no_new_privs = true;
	assert_int_equal(steps_of(&want, &own), 0);

	want.uid[0] = want.uid[1] = want.uid[2] = want.uid[3] = 1000;
	want.gid[0] = want.gid[1] = want.gid[2] = want.gid[3] = 1000;
	want.groups = groups;
	want.n_groups = 2;
	want.permitted = want.inheritable = want.ambient = want.effective = 1 << 3;
	want.bounding = 0xff;
	want.securebits = SECBIT_NOROOT;
	credentials_plan(plan, &want, &own);
	bits = place(plan, "set the securebits", 0);
	uids = place(plan, "set the user ids", 0);
	caps = place(plan, "set the capabilities", 0);
	ambient = place(plan, "raise an ambient capability", 0);
	drop = place(plan, "drop a capability from the bounding set", 0);
	assert_true(bits < place(plan, "set the groups", 0));
	assert_true(place(plan, "set the groups", 0) < uids && place(plan, "set the group ids", 0) < uids);
	assert_true(uids < caps && caps < ambient && caps < drop);
	assert_true(place(plan, "set the securebits", bits + 1) > ambient);
	assert_int_equal(place(plan, "set the capabilities", caps + 1), plan_count(plan) - 1);
	plan_destroy(&plan);
}

static void credential_limits(void **state)
{
	struct credentials own = full(), want = full();

	want.bounding = ~0ull;
	want.inheritable = 0xf000;
	assert_int_equal(credentials_limit(&want, &own), 0);
	assert_int_equal(want.bounding, 0x1ff);
	assert_int_equal(want.inheritable, 0);
	want.permitted = 0x3ff;
	assert_int_equal(credentials_limit(&want, &own), -EPERM);
	want.permitted = 1;
	want.effective = 2;
	assert_int_equal(credentials_limit(&want, &own), -EPERM);
}

/* --- filters --- */

static SeccompFilter *filter(struct pool *pool, int prev, size_t n)
{
	SeccompFilter *f = pool_new(pool, SeccompFilter);

	seccomp_filter__init(f);
	f->filter.len = n * sizeof(struct sock_filter);
	f->filter.data = pool_alloc(pool, f->filter.len + 1);
	f->has_prev = prev >= 0;
	f->prev = (uint32_t)prev;
	return f;
}

static void filter_chains(void **state)
{
	struct scene *s = *state;
	struct pool *pool = s->r.pool;
	SeccompFilter *filters[4] = { filter(pool, -1, 1), filter(pool, 0, 2), filter(pool, 0, 3),
				      filter(pool, 2, 4096) };
	SeccompEntry record = SECCOMP_ENTRY__INIT;
	struct seccomp_chain chain;

	record.n_seccomp_filters = 4;
	record.seccomp_filters = filters;
	assert_int_equal(seccomp_check_filters(&record), 0);
	chain = seccomp_chain(pool, &record, 3);
	assert_int_equal(chain.n, 3);
	assert_int_equal(chain.filters[0], 0);
	assert_int_equal(chain.filters[1], 2);
	assert_int_equal(chain.filters[2], 3);

	filters[0]->has_prev = true;
	filters[0]->prev = 3; /* round and round */
	assert_int_equal(seccomp_check_filters(&record), -EINVAL);
	filters[0]->prev = 4;
	assert_int_equal(seccomp_check_filters(&record), -EINVAL);
	filters[0]->has_prev = false;
	filters[3]->filter.len = 4097 * sizeof(struct sock_filter);
	assert_int_equal(seccomp_check_filters(&record), -EINVAL);
	filters[3]->filter.len = 9;
	assert_int_equal(seccomp_check_filters(&record), -EINVAL);
	filters[3]->filter.len = 0;
	assert_int_equal(seccomp_check_filters(&record), -EINVAL);
	filters[3]->filter.len = 8;
	filters[3]->flags = 0x17; /* TSYNC, LOG, SPEC_ALLOW, TSYNC_ESRCH */
	assert_int_equal(seccomp_check_filters(&record), 0);
	filters[3]->flags = 0x8; /* NEW_LISTENER */
	assert_int_equal(seccomp_check_filters(&record), -EOPNOTSUPP);
	filters[3]->flags = 0x80;
	assert_int_equal(seccomp_check_filters(&record), -EOPNOTSUPP);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(damaged_records), TEST(damaged_limits), TEST(damaged_signals),  TEST(damaged_timers),
		TEST(alarm_timers),    TEST(zombies),	     TEST(credential_steps), TEST(credential_limits),
		TEST(filter_chains),   TEST(older_images),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
