// SPDX-License-Identifier: GPL-2.0-only
/*
 * In a pid namespace of its own the first process keeps its number and its children theirs, wherever the kernel has
 * noted them: parents, groups, sessions, owners of signals, credentials of sockets and of messages, timers that signal
 * a thread; orphans come to the first process.
 */
#include <pthread.h>
#include <sys/socket.h>
#include <time.h>

#include "subject.h"
#include "tools.h"

SUBJECT(.house = "pid")

static int owned[2], messages[2], peers[2];
static pthread_t thread;
static pid_t thread_id;

static int orphan(void *arg)
{
	wait_for_restore();
	return 7;
}

static int child(void *arg)
{
	pid_t grandchild;
	char c = 'x';

	must(setpgid(0, 0));
	must(write(messages[0], &c, 1));
	grandchild = start_child(orphan, NULL);
	dprintf(owned[1], "%d\n", grandchild);
	wait_for_restore();
	CHECK_EQUAL(getppid(), 1);
	CHECK_EQUAL(getpgrp(), getpid());
	CHECK_EQUAL(getsid(0), 1);
	return 0; /* without waiting for its child */
}

static void *wait_in_thread(void *arg)
{
	thread_id = (pid_t)syscall(SYS_gettid);
	wait_for_restore();
	CHECK_EQUAL(syscall(SYS_gettid), thread_id);
	return NULL;
}

int main(void)
{
	struct sigevent event = { .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGUSR1 };
	struct itimerspec later = { .it_value = { 3600, 0 } }, left;
	struct f_owner_ex owner;
	struct ucred peer;
	socklen_t size = sizeof(peer);
	char text[16] = "";
	int yes = 1, status;
	timer_t timer;
	pid_t pid, grandchild;

	must(pipe(owned));
	must(socketpair(AF_UNIX, SOCK_DGRAM, 0, messages));
	must(socketpair(AF_UNIX, SOCK_STREAM, 0, peers));
	must(setsockopt(messages[1], SOL_SOCKET, SO_PASSCRED, &yes, sizeof(yes)));
	pid = start_child(child, NULL);
	CHECK(read(owned[0], text, sizeof(text) - 1) > 0);
	grandchild = atoi(text);
	owner = (struct f_owner_ex){ F_OWNER_PID, pid };
	must(fcntl(owned[0], F_SETOWN_EX, &owner));
	owner = (struct f_owner_ex){ F_OWNER_PGRP, pid };
	must(fcntl(owned[1], F_SETOWN_EX, &owner));
	CHECK(pthread_create(&thread, NULL, wait_in_thread, NULL) == 0);
	while (!*(volatile pid_t *)&thread_id)
		sleep_ms(1);
	event._sigev_un._tid = thread_id;
	must(timer_create(CLOCK_MONOTONIC, &event, &timer));
	must(timer_settime(timer, 0, &later, NULL));

	checkpoint_with(3);

	CHECK_EQUAL(getpid(), 1);
	CHECK_EQUAL(getsid(0), 1);
	CHECK(fcntl(owned[0], F_GETOWN_EX, &owner) == 0);
	CHECK_EQUAL(owner.type, F_OWNER_PID);
	CHECK_EQUAL(owner.pid, pid);
	CHECK(fcntl(owned[1], F_GETOWN_EX, &owner) == 0);
	CHECK_EQUAL(owner.type, F_OWNER_PGRP);
	CHECK_EQUAL(owner.pid, pid);
	CHECK(getsockopt(peers[0], SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0);
	CHECK_EQUAL(peer.pid, 1);
	CHECK_EQUAL(receive_with_sender(messages[1], text), pid);
	CHECK(timer_gettime(timer, &left) == 0);
	CHECK(left.it_value.tv_sec > 3000);
	CHECK(pthread_join(thread, NULL) == 0);
	join_child(pid, 0);
	CHECK_EQUAL(waitpid(grandchild, &status, 0), grandchild);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 7);
	/* New ones get numbers of this namespace. */
	CHECK(start_child(orphan, NULL) < 100);
	CHECK(wait(&status) > 0);
	return 0;
}
