// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pid namespaces within pid namespaces: each process and thread keeps its number in all of them, and so do sessions and
 * groups, also those that lost their leaders; signals, timers, owners of files, credentials and pidfds, seen from
 * outside and from inside; zombies, also of a first process.
 */
#include <pthread.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>

#include "subject.h"
#include "tools.h"

SUBJECT()

static int messages[2], peers[2], owned[2];

/* --- what a process knows of itself --- */

struct self {
	pid_t pid, tid, parent, group, session;
	char numbers[1024]; /* in all namespaces but the outermost, which may be around the tree */
};

static void read_numbers(char *to, size_t capacity)
{
	FILE *file = fopen("/proc/thread-self/status", "r");
	char line[256];

	CHECK(file != NULL);
	*to = 0;
	while (fgets(line, sizeof(line), file)) {
		const char *rest = strchr(line, '\t');

		if (strncmp(line, "NS", 2) || !rest || !(rest = strchr(rest + 1, '\t')))
			continue;
		CHECK(strlen(to) + strlen(rest) < capacity);
		strcat(to, rest);
	}
	fclose(file);
}

static struct self look(void)
{
	struct self self = { getpid(), (pid_t)syscall(SYS_gettid), getppid(), getpgrp(), getsid(0), "" };

	read_numbers(self.numbers, sizeof(self.numbers));
	return self;
}

static void check_same(const struct self *old)
{
	struct self now = look();

	CHECK_EQUAL(now.pid, old->pid);
	CHECK_EQUAL(now.tid, old->tid);
	CHECK_EQUAL(now.parent, old->parent);
	CHECK_EQUAL(now.group, old->group);
	CHECK_EQUAL(now.session, old->session);
	CHECK(!strcmp(now.numbers, old->numbers));
}

static int stay(void *arg)
{
	struct self self = look();

	wait_for_restore();
	check_same(&self);
	return 3;
}

static void *stay_in_thread(void *arg)
{
	struct self self = look();

	*(volatile pid_t *)arg = self.tid; /* no file is open any more that children would inherit */
	wait_for_restore();
	check_same(&self);
	return NULL;
}

static pthread_t start_thread(pid_t *ret)
{
	pthread_t thread;

	CHECK(pthread_create(&thread, NULL, stay_in_thread, ret) == 0);
	while (!*(volatile pid_t *)ret)
		sleep_ms(1);
	return thread;
}

static int end_at_once(void *arg)
{
	return 7;
}

static void await_zombie(pid_t pid)
{
	siginfo_t info;

	must(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT));
}

/* --- sessions and groups --- */

static int stay_as_orphan(void *arg)
{
	while (getppid() != 1)
		sleep_ms(1);
	return stay(arg);
}

static int end_as_leader(void *arg)
{
	must(setsid());
	start_child(stay_as_orphan, NULL);
	return 0;
}

/* An orphan in a session without a leader, which comes to the first process of the namespace. */
static void leave_orphan(void)
{
	join_child(start_child(end_as_leader, NULL), 0);
}

static int lead_group(void *arg)
{
	must(setpgid(0, 0));
	must(write(*(int *)arg, "x", 1));
	pause();
	return 0;
}

static int join_group(void *arg)
{
	must(setpgid(0, *(pid_t *)arg));
	kill(*(pid_t *)arg, SIGKILL);
	return stay(NULL);
}

static void leave_group(void)
{
	int ready[2];
	char c;
	pid_t leader, status;

	must(pipe(ready));
	leader = start_child(lead_group, &ready[1]);
	must(read(ready[0], &c, 1));
	start_child(join_group, &leader);
	must(waitpid(leader, &status, 0));
	close(ready[0]);
	close(ready[1]);
}

/* --- the innermost namespace --- */

static int open_pidfd(pid_t pid)
{
	return must((int)syscall(SYS_pidfd_open, pid, 0));
}

static void check_alive(int pidfd)
{
	CHECK(syscall(SYS_pidfd_send_signal, pidfd, 0, NULL, 0) == 0);
}

static void say_hello(char c)
{
	must(send(messages[0], &c, 1, 0));
}

static int be_innermost(void *arg)
{
	struct sigevent event = { .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGUSR1 };
	struct itimerspec later = { .it_value = { 3600, 0 } }, left;
	struct f_owner_ex owner;
	pid_t tid = 0, child, zombie;
	pthread_t thread;
	siginfo_t info;
	sigset_t set;
	timer_t timer;
	struct self self;
	int pidfd, pair[2], status;

	must(setsid());
	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	must(sigprocmask(SIG_BLOCK, &set, NULL));
	thread = start_thread(&tid);
	must(sigqueue(getpid(), SIGUSR2, (union sigval){ .sival_int = 77 }));
	event._sigev_un._tid = tid;
	must(timer_create(CLOCK_MONOTONIC, &event, &timer));
	must(timer_settime(timer, 0, &later, NULL));
	child = start_child(stay, NULL);
	leave_orphan();
	leave_group();
	zombie = start_child(end_at_once, NULL);
	await_zombie(zombie);
	pidfd = open_pidfd(child);
	must(pipe(pair));
	owner = (struct f_owner_ex){ F_OWNER_PID, child };
	must(fcntl(pair[0], F_SETOWN_EX, &owner));
	say_hello('1'); /* who we are */
	say_hello('2'); /* waits */
	self = look();

	wait_for_restore();
	check_same(&self);
	CHECK_EQUAL(getpid(), 1);
	CHECK_EQUAL(getppid(), 0);
	CHECK_EQUAL(sigwaitinfo(&set, &info), SIGUSR2);
	CHECK_EQUAL(info.si_pid, 1);
	CHECK_EQUAL(info.si_value.sival_int, 77);
	CHECK(timer_gettime(timer, &left) == 0 && left.it_value.tv_sec > 3000);
	check_alive(pidfd);
	CHECK(fcntl(pair[0], F_GETOWN_EX, &owner) == 0);
	CHECK(owner.type == F_OWNER_PID && owner.pid == child);
	CHECK(pthread_join(thread, NULL) == 0);
	join_child(zombie, 7);
	for (unsigned i = 0; i < 3; i++)
		CHECK(wait(&status) > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 3);
	child = start_child(end_at_once, NULL);
	CHECK(child > 1 && child < 100);
	join_child(child, 7);
	return 0;
}

/* --- that around it --- */

static int be_around(void *arg)
{
	pid_t tid = 0, inner, child = start_child(stay, NULL);
	pthread_t thread;
	struct self self;
	int pidfd, own = must(open("/proc/self/ns/pid", O_RDONLY));
	char c;

	must(unshare(CLONE_NEWPID));
	inner = start_child(be_innermost, NULL);
	pidfd = open_pidfd(inner);
	must(setns(own, CLONE_NEWPID));
	close(own);
	thread = start_thread(&tid);
	must(socketpair(AF_UNIX, SOCK_STREAM, 0, peers));
	must(send(*(int *)arg, &peers[0], sizeof(peers[0]), 0));
	self = look();

	wait_for_restore();
	check_same(&self);
	CHECK_EQUAL(getpid(), 1);
	check_alive(pidfd);
	join_child(child, 3);
	CHECK(pthread_join(thread, NULL) == 0);
	must(recv(*(int *)arg, &c, 1, 0)); /* others have looked at it */
	join_child(inner, 0);
	return 0;
}

static pid_t receive(char expected)
{
	char byte = 0;
	pid_t sender = receive_with_sender(messages[1], &byte);

	CHECK_EQUAL(byte, expected);
	return sender;
}

/* The first process of a namespace is dead, and with it the namespace. */
static pid_t leave_dead_namespace(int own)
{
	pid_t pid;

	must(unshare(CLONE_NEWPID));
	pid = start_child(end_at_once, NULL);
	await_zombie(pid);
	must(setns(own, CLONE_NEWPID));
	return pid;
}

int main(void)
{
	int yes = 1, own = must(open("/proc/self/ns/pid", O_RDONLY)), pidfd, tell[2], fd;
	struct f_owner_ex owner;
	pid_t pid, inner, dead, child;
	char c;

	must(socketpair(AF_UNIX, SOCK_DGRAM, 0, messages));
	must(socketpair(AF_UNIX, SOCK_STREAM, 0, tell));
	must(setsockopt(messages[1], SOL_SOCKET, SO_PASSCRED, &yes, sizeof(yes)));
	must(pipe(owned));
	dead = leave_dead_namespace(own);
	must(unshare(CLONE_NEWPID));
	pid = start_child(be_around, &tell[0]);
	must(setns(own, CLONE_NEWPID));
	close(own);
	must((int)recv(tell[1], &fd, sizeof(fd), 0));
	inner = receive('1');
	CHECK(inner > 1 && inner != pid);
	pidfd = open_pidfd(inner);
	owner = (struct f_owner_ex){ F_OWNER_PGRP, inner };
	must(fcntl(owned[0], F_SETOWN_EX, &owner));
	child = start_child(stay, NULL);

	checkpoint_with(9);

	CHECK_EQUAL(receive('2'), inner);
	check_alive(pidfd);
	CHECK(fcntl(owned[0], F_GETOWN_EX, &owner) == 0);
	CHECK(owner.type == F_OWNER_PGRP && owner.pid == inner);
	CHECK_EQUAL(recv(tell[1], &c, 1, MSG_DONTWAIT), -1);
	must(send(tell[1], "x", 1, 0));
	join_child(child, 3);
	join_child(pid, 0);
	join_child(dead, 7);
	CHECK(syscall(SYS_pidfd_send_signal, pidfd, 0, NULL, 0) == -1);
	return 0;
}
