/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The broker: a process that shares our descriptors and lives in the user namespace of the tree. The tasks, which have
 * no rights over us, fetch our descriptors from it. It is made before them, so that they are born with a pidfd of it,
 * and goes over when the namespace is there.
 */
#include "object/namespace/broker.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/grace.h"
#include "base/log.h"
#include "base/vector.h"
#include "kern/pidfd.h"
#include "session/session.h"

struct broker {
	pid_t pid;
	int pidfd;
	int ours, theirs; /* a pair of sockets: the namespace to enter goes over, and the error comes back */
};

/* A copy of us: other threads of ours may have held any lock, so system calls only. */
static void __attribute__((noreturn)) be_broker(const struct broker *broker, pid_t parent)
{
	int ns, error;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent || read(broker->theirs, &ns, sizeof(ns)) != sizeof(ns))
		_exit(1);
	error = setns(ns, CLONE_NEWUSER) < 0 ? errno : 0;
	/* As others do not own the namespace, going there takes both away. */
	prctl(PR_SET_DUMPABLE, 1);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent || write(broker->theirs, &error, sizeof(error)) != sizeof(error))
		_exit(1);
	for (;;)
		pause();
}

static int make_broker(struct broker *broker)
{
	pid_t parent = getpid();

	/* No signal at its end: nobody but us waits for it. */
	broker->pid = (pid_t)syscall(SYS_clone, CLONE_FILES, 0, 0, 0, 0);
	if (broker->pid == 0)
		be_broker(broker, parent);
	return broker->pid < 0 ? fail_errno("making a process to enter the user namespace") : 0;
}

static void end_broker(pid_t pid)
{
	kill(pid, SIGKILL);
	while (waitpid(pid, NULL, __WCLONE) < 0 && errno == EINTR)
		;
}

/* Those whose pid a task wants are kept until there is one with another: trees often have pids in a row. */
static int make_with_free_pid(const struct task_tree *avoid, struct broker *broker)
{
	VECTOR(pid_t) taken = { 0 };
	int error = make_broker(broker);

	while (error == 0 && avoid && task_tree_find_thread(avoid, broker->pid)) {
		*vector_push(&taken) = broker->pid;
		error = make_broker(broker);
	}
	for (size_t i = 0; i < taken.n; i++)
		end_broker(taken.items[i]);
	vector_done(&taken);
	return error;
}

int broker_begin(struct pool *pool, const struct task_tree *avoid, struct broker **ret)
{
	struct broker *broker = *ret = pool_new(pool, struct broker);
	int pair[2];

	broker->ours = broker->theirs = broker->pidfd = -1;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return fail_errno("making a pair of sockets");
	broker->ours = pair[0];
	broker->theirs = pair[1];
	TRY(make_with_free_pid(avoid, broker));
	broker->pidfd = pidfd_of_process(broker->pid);
	return broker->pidfd < 0 ? fail(-broker->pidfd, "opening a pidfd of the helper in the user namespace") : 0;
}

int broker_pidfd(const struct broker *broker)
{
	return broker->pidfd;
}

pid_t broker_pid(const struct broker *broker)
{
	return broker->pid;
}

int broker_enter(struct broker *broker, int user_ns)
{
	struct pollfd ask[] = { { broker->ours, POLLIN, 0 }, { broker->pidfd, POLLIN, 0 } };
	int error = 0, ready;

	if (write(broker->ours, &user_ns, sizeof(user_ns)) != sizeof(user_ns))
		return fail_errno("talking to the helper in the user namespace");
	/* It has our descriptors, its own end of the pair as well: that does not hang up when it dies. */
	do {
		ready = poll(ask, 2, GRACE_BROKER_MS);
	} while (ready < 0 && errno == EINTR);
	if (ready <= 0 || !(ask[0].revents & POLLIN))
		return fail(ready ? ESRCH : ETIMEDOUT, "waiting for the process that is to enter the user namespace");
	if (read(broker->ours, &error, sizeof(error)) != sizeof(error))
		return fail_errno("talking to the helper in the user namespace");
	return error ? fail(error, "entering the user namespace") : 0;
}

void broker_end(struct broker **place)
{
	struct broker *broker = *place;

	*place = NULL;
	if (!broker)
		return;
	if (broker->pid > 0)
		end_broker(broker->pid);
	auto_close(&broker->pidfd);
	auto_close(&broker->ours);
	auto_close(&broker->theirs);
}
