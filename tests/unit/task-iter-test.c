/* SPDX-License-Identifier: GPL-2.0-only */
/* What the kernel keeps of threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "kern/task-iter.h"

static pthread_barrier_t begun, ending;

struct other {
	int flags;
	pid_t tid;
	bool apart;
};

static void *live(void *arg)
{
	struct other *other = arg;

	other->tid = (pid_t)syscall(SYS_gettid);
	other->apart = other->flags && unshare(other->flags) == 0;
	pthread_barrier_wait(&begun);
	pthread_barrier_wait(&ending);
	return NULL;
}

static bool enough;

static void *wait_limited(void *arg)
{
	*(pid_t *)arg = (pid_t)syscall(SYS_gettid);
	pthread_barrier_wait(&begun);
	while (!__atomic_load_n(&enough, __ATOMIC_ACQUIRE))
		poll(NULL, 0, 20);
	return NULL;
}

static void *wait_unlimited(void *arg)
{
	*(pid_t *)arg = (pid_t)syscall(SYS_gettid);
	pthread_barrier_wait(&begun);
	pthread_barrier_wait(&ending);
	return NULL;
}

static void test_limited_waits(void **state)
{
	AUTO(task_iter_destroy) struct task_iter *iter = task_iter_create();
	AUTO(task_facts_done) struct task_facts_list list = { 0 };
	pthread_t limited, unlimited;
	pid_t tid, other;

	if (!task_iter_prepare(iter))
		skip();
	pthread_barrier_init(&begun, NULL, 3);
	pthread_barrier_init(&ending, NULL, 2);
	assert_int_equal(pthread_create(&limited, NULL, wait_limited, &tid), 0);
	assert_int_equal(pthread_create(&unlimited, NULL, wait_unlimited, &other), 0);
	pthread_barrier_wait(&begun);
	do {
		assert_true(task_iter_read(iter, getpid(), &list));
		assert_false(task_facts_find(&list, other)->may_wait_limited);
		assert_false(task_facts_find(&list, getpid())->may_wait_limited);
	} while (!task_facts_find(&list, tid)->may_wait_limited);
	__atomic_store_n(&enough, true, __ATOMIC_RELEASE);
	pthread_barrier_wait(&ending);
	assert_int_equal(pthread_join(limited, NULL), 0);
	assert_int_equal(pthread_join(unlimited, NULL), 0);
}

static void check_facts(const struct task_facts_list *list, const struct other *others, size_t n)
{
	const struct task_facts *own = task_facts_find(list, getpid());

	assert_non_null(own);
	assert_true(own->namespaces && own->cgroups && own->files && own->fs && own->memory && own->handlers);
	for (size_t i = 0; i < n; i++) {
		const struct task_facts *other = task_facts_find(list, others[i].tid);
		int apart = others[i].apart ? others[i].flags : 0;

		assert_non_null(other);
		assert_false(other->has_children);
		assert_int_equal(other->cgroups == own->cgroups, 1);
		assert_true(other->memory == own->memory && other->handlers == own->handlers);
		assert_int_equal(other->files == own->files, !(apart & CLONE_FILES));
		assert_int_equal(other->fs == own->fs, !(apart & CLONE_FS));
		assert_int_equal(other->namespaces == own->namespaces, !(apart & CLONE_NEWUTS));
	}
}

static void test_threads(void **state)
{
	AUTO(task_iter_destroy) struct task_iter *iter = task_iter_create();
	AUTO(task_facts_done) struct task_facts_list list = { 0 };
	struct other others[] = { { 0 }, { CLONE_FILES }, { CLONE_FS }, { CLONE_NEWUTS } };
	enum { N = sizeof(others) / sizeof(*others) };
	struct task_facts own;
	pthread_t threads[N];
	pid_t child;

	assert_false(task_iter_read(iter, getpid(), &list));
	if (!task_iter_prepare(iter))
		skip(); /* not root, or no BTF */
	pthread_barrier_init(&begun, NULL, N + 1);
	pthread_barrier_init(&ending, NULL, N + 1);
	for (size_t i = 0; i < N; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, live, &others[i]), 0);
	pthread_barrier_wait(&begun);

	assert_true(task_iter_read(iter, getpid(), &list));
	check_facts(&list, others, N);
	assert_false(task_facts_find(&list, getpid())->has_children);
	assert_true(task_iter_read(iter, 0, &list));
	check_facts(&list, others, N);
	for (size_t i = 1; i < list.n; i++)
		assert_true(list.items[i - 1].tid < list.items[i].tid);

	child = fork();
	if (child == 0)
		for (;;)
			pause();
	assert_true(task_iter_read(iter, getpid(), &list));
	assert_true(task_facts_find(&list, getpid())->has_children);
	own = *task_facts_find(&list, getpid());
	assert_true(task_iter_read(iter, child, &list));
	assert_true(task_facts_find(&list, child)->memory != own.memory);
	assert_true(task_facts_find(&list, child)->handlers != own.handlers);
	kill(child, SIGKILL);
	assert_int_equal(waitpid(child, NULL, 0), child);
	assert_false(task_iter_read(iter, child, &list) && task_facts_find(&list, child));
	pthread_barrier_wait(&ending);
	for (size_t i = 0; i < N; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
}

/* What is a thread's alone, beside what it says itself. */
struct singular {
	pid_t tid;
	stack_t stack;
	int death;
	uint64_t *tid_address;
	char name[16];
	long slack;
	bool has_policy;
};

static void *be_singular(void *arg)
{
	static char memory[32768];
	struct singular *self = arg;
	stack_t stack = { .ss_sp = memory, .ss_size = sizeof(memory) }, before; /* a sanitizer has one */
	unsigned long nodes[16] = { 1 };

	self->tid = (pid_t)syscall(SYS_gettid);
	assert_int_equal(prctl(PR_SET_NAME, "singular"), 0);
	assert_int_equal(sigaltstack(&stack, &before), 0);
	assert_int_equal(prctl(PR_SET_TIMERSLACK, 70001), 0);
	assert_int_equal(prctl(PR_SET_PDEATHSIG, SIGUSR2), 0);
	self->has_policy = syscall(SYS_set_mempolicy, 2 /* MPOL_BIND */, nodes, 1024) == 0;
	assert_int_equal(prctl(PR_GET_NAME, self->name), 0);
	assert_int_equal(sigaltstack(NULL, &self->stack), 0);
	assert_int_equal(prctl(PR_GET_PDEATHSIG, &self->death), 0);
	assert_int_equal(prctl(PR_GET_TID_ADDRESS, &self->tid_address), 0);
	self->slack = prctl(PR_GET_TIMERSLACK);
	pthread_barrier_wait(&begun);
	pthread_barrier_wait(&ending);
	assert_int_equal(sigaltstack(&before, NULL), 0);
	return NULL;
}

static long long read_number(const char *path)
{
	FILE *file = fopen(path, "r");
	long long number = 0;

	assert_non_null(file);
	assert_int_equal(fscanf(file, "%lld", &number), 1);
	fclose(file);
	return number;
}

static void test_own(void **state)
{
	AUTO(task_iter_destroy) struct task_iter *iter = task_iter_create();
	AUTO(task_facts_done) struct task_facts_list list = { 0 };
	const struct task_facts *main_thread, *other;
	struct singular singular = { 0 };
	pthread_t thread;
	stack_t stack;

	if (!task_iter_prepare(iter))
		skip();
	pthread_barrier_init(&begun, NULL, 2);
	pthread_barrier_init(&ending, NULL, 2);
	assert_int_equal(pthread_create(&thread, NULL, be_singular, &singular), 0);
	pthread_barrier_wait(&begun);
	assert_true(task_iter_read(iter, getpid(), &list));
	main_thread = task_facts_find(&list, getpid());
	other = task_facts_find(&list, singular.tid);
	assert_non_null(other);
	assert_int_equal(other->knows_own, main_thread->knows_own);
	if (other->knows_own) {
		assert_string_equal(other->own.name, singular.name);
		assert_int_equal(other->own.stack, (uintptr_t)singular.stack.ss_sp);
		assert_int_equal(other->own.stack_size, singular.stack.ss_size);
		assert_int_equal(other->own.stack_flags, singular.stack.ss_flags);
		assert_int_equal(other->own.death_signal, singular.death);
		assert_int_equal(other->own.timer_slack, singular.slack);
		assert_int_equal(other->own.tid_address, (uintptr_t)singular.tid_address);
		assert_int_equal(other->own.personality, personality(0xffffffff));
		assert_int_equal(other->own.has_memory_policy, singular.has_policy);
		assert_false(main_thread->own.has_memory_policy);
		assert_int_equal(sigaltstack(NULL, &stack), 0);
		assert_int_equal(main_thread->own.stack_size, stack.ss_size);
		assert_int_equal(main_thread->own.oom_score, read_number("/proc/self/oom_score_adj"));
		if (main_thread->own.knows_login && access("/proc/self/loginuid", F_OK) == 0)
			assert_int_equal(main_thread->own.login, read_number("/proc/self/loginuid"));
		assert_int_equal(main_thread->own.memory_defaults, 0);
		assert_int_equal(main_thread->own.death_signal, 0);
		assert_int_equal(main_thread->own.timer_slack, prctl(PR_GET_TIMERSLACK));
		if (syscall(SYS_mlockall, MCL_FUTURE) == 0) { /* mlockall(3) of a sanitizer does nothing */
			assert_true(task_iter_read(iter, getpid(), &list));
			assert_true(task_facts_find(&list, getpid())->own.memory_defaults);
			syscall(SYS_munlockall);
		}
	}
	pthread_barrier_wait(&ending);
	assert_int_equal(pthread_join(thread, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_threads), cmocka_unit_test(test_own),
					    cmocka_unit_test(test_limited_waits) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
