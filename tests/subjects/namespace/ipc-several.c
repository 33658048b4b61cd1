// SPDX-License-Identifier: GPL-2.0-only
/* Processes of one tree live in several IPC namespaces, with objects of the same key in each. */
#include <sched.h>
#include <sys/ipc.h>
#include <sys/msg.h>

#include "subject.h"

SUBJECT()

struct message {
	long type;
	char text;
};

static void put(char text)
{
	struct message message = { 1, text };

	must(msgsnd(must(msgget(0x99, IPC_CREAT | 0600)), &message, 1, IPC_NOWAIT));
}

static void get(char text)
{
	struct message message;

	CHECK_EQUAL(msgrcv(msgget(0x99, 0), &message, 1, 0, IPC_NOWAIT), 1);
	CHECK_EQUAL(message.text, text);
}

static int inherit(void *arg)
{
	wait_for_restore();
	get('c');
	return 0;
}

static int own(void *arg)
{
	pid_t child;

	must(unshare(CLONE_NEWIPC));
	put('c');
	child = start_child(inherit, NULL);
	wait_for_restore();
	join_child(child, 0);
	return 0;
}

int main(void)
{
	pid_t child;

	must(unshare(CLONE_NEWIPC));
	put('r');
	child = start_child(own, NULL);

	checkpoint_with(2);

	get('r');
	join_child(child, 0);
	return 0;
}
