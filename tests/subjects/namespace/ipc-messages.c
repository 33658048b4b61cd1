// SPDX-License-Identifier: GPL-2.0-only
/* System V message queues of a namespace keep their messages in order, more than would fit by now, their limits, ids
 * and owners. */
#include <sched.h>
#include <sys/ipc.h>
#include <sys/msg.h>

#include "subject.h"

SUBJECT()

struct message {
	long type;
	uint8_t text[3000];
};

static void send(int id, long type, size_t size)
{
	struct message message = { .type = type };

	fill(message.text, size, (unsigned)size);
	must(msgsnd(id, &message, size, IPC_NOWAIT));
}

static void receive(int id, long type, long wanted, size_t size)
{
	struct message message;

	CHECK_EQUAL(msgrcv(id, &message, sizeof(message.text), type, IPC_NOWAIT), (ssize_t)size);
	CHECK_EQUAL(message.type, wanted);
	check_filled(message.text, size, (unsigned)size);
}

int main(void)
{
	struct msqid_ds ds;
	int first, id, empty;

	must(unshare(CLONE_NEWIPC));
	first = must(msgget(IPC_PRIVATE, 0600));
	must(msgctl(first, IPC_RMID, NULL));
	id = must(msgget(0x4321, IPC_CREAT | 0600));
	empty = must(msgget(IPC_PRIVATE, 0622));
	send(id, 5, 100);
	send(id, 7, 0);
	send(id, 5, 3000);
	send(id, 1L << 40, 1);
	must(msgctl(id, IPC_STAT, &ds));
	ds.msg_qbytes = 500;
	ds.msg_perm.uid = 12;
	ds.msg_perm.gid = 34;
	ds.msg_perm.mode = 0604;
	must(msgctl(id, IPC_SET, &ds));

	checkpoint();

	CHECK_EQUAL(msgget(0x4321, 0), id);
	CHECK_EQUAL(msgctl(id, IPC_STAT, &ds), 0);
	CHECK_EQUAL(ds.msg_qnum, 4u);
	CHECK_EQUAL(ds.msg_qbytes, 500u);
	CHECK_EQUAL(ds.msg_perm.uid, 12u);
	CHECK_EQUAL(ds.msg_perm.gid, 34u);
	CHECK_EQUAL(ds.msg_perm.mode & 0777, 0604u);
	receive(id, 7, 7, 0);
	receive(id, 0, 5, 100);
	receive(id, 0, 5, 3000);
	receive(id, 0, 1L << 40, 1);
	CHECK_EQUAL(msgctl(empty, IPC_STAT, &ds), 0);
	CHECK_EQUAL(ds.msg_qnum, 0u);
	CHECK_EQUAL(ds.msg_perm.mode & 0777, 0622u);
	send(empty, 1, 10);
	receive(empty, 0, 1, 10);
	return 0;
}
