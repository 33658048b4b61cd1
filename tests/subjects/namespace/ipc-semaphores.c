// SPDX-License-Identifier: GPL-2.0-only
/* System V semaphores of a namespace keep their values, ids and owners, and whether they were used (sem_otime: programs
 * wait for that, as nobody can make and initialise a set at once); who waits for one goes on waiting, and gets it. */
#include <sched.h>
#include <sys/ipc.h>
#include <sys/sem.h>

#include "subject.h"

SUBJECT()

union semun {
	int val;
	struct semid_ds *buf;
	unsigned short *array;
};

static int waiter(void *arg)
{
	int id = *(int *)arg;
	struct sembuf take = { .sem_num = 2, .sem_op = -3 };

	announce_waiter();
	CHECK_EQUAL(semop(id, &take, 1), 0);
	return 0;
}

int main(void)
{
	unsigned short values[5] = { 1, 0, 2, 40, 32767 }, now[5];
	struct sembuf give = { .sem_num = 2, .sem_op = 1 }, use = { .sem_num = 0, .sem_op = 1 };
	struct semid_ds ds;
	int id, private;
	pid_t pid;

	must(unshare(CLONE_NEWIPC));
	must(semctl(must(semget(IPC_PRIVATE, 1, 0600)), 0, IPC_RMID));
	id = must(semget(0x5555, 5, IPC_CREAT | 0600));
	private = must(semget(IPC_PRIVATE, 1, 0600));
	must(semop(private, &use, 1));
	must(semctl(id, 0, SETALL, (union semun){ .array = values }));
	must(semctl(id, 0, IPC_STAT, (union semun){ .buf = &ds }));
	ds.sem_perm.uid = 12;
	ds.sem_perm.mode = 0660;
	must(semctl(id, 0, IPC_SET, (union semun){ .buf = &ds }));
	pid = start_child(waiter, &id);

	checkpoint_with(1);

	CHECK_EQUAL(semget(0x5555, 5, 0), id);
	CHECK_EQUAL(semctl(id, 0, GETALL, (union semun){ .array = now }), 0);
	CHECK(!memcmp(values, now, sizeof(values)));
	CHECK_EQUAL(semctl(id, 0, IPC_STAT, (union semun){ .buf = &ds }), 0);
	CHECK_EQUAL(ds.sem_perm.uid, 12u);
	CHECK_EQUAL(ds.sem_perm.mode & 0777, 0660u);
	CHECK(ds.sem_otime == 0);
	CHECK_EQUAL(semctl(private, 0, GETVAL), 1);
	CHECK_EQUAL(semctl(private, 0, IPC_STAT, (union semun){ .buf = &ds }), 0);
	CHECK(ds.sem_otime != 0);
	CHECK_EQUAL(semop(id, &give, 1), 0);
	join_child(pid, 0);
	CHECK_EQUAL(semctl(id, 2, GETVAL), 0);
	return 0;
}
