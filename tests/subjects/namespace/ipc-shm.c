// SPDX-License-Identifier: GPL-2.0-only
/* System V shared memory of a namespace: attached and not, removed but still attached, with ids, keys, owners and
 * content. */
#include <sched.h>
#include <sys/ipc.h>
#include <sys/shm.h>

#include "subject.h"

SUBJECT()

#define SIZE  200000
#define LARGE (5 << 20)

static int child(void *arg)
{
	uint8_t *memory = arg;

	wait_for_restore();
	check_filled(memory, SIZE - 1, 1);
	memory[SIZE - 1] = 77;
	return 0;
}

static void check_segment(int id, key_t key, size_t size)
{
	struct shmid_ds ds;

	CHECK_EQUAL(shmctl(id, IPC_STAT, &ds), 0);
	CHECK_EQUAL(ds.shm_perm.__key, key);
	CHECK_EQUAL(ds.shm_segsz, size);
	CHECK_EQUAL(ds.shm_perm.uid, 12u);
	CHECK_EQUAL(ds.shm_perm.gid, 34u);
	CHECK_EQUAL(ds.shm_perm.mode & 0777, 0640u);
}

static void give_away(int id)
{
	struct shmid_ds ds;

	must(shmctl(id, IPC_STAT, &ds));
	ds.shm_perm.uid = 12;
	ds.shm_perm.gid = 34;
	ds.shm_perm.mode = 0640;
	must(shmctl(id, IPC_SET, &ds));
}

int main(void)
{
	uint8_t *memory, *readonly, *removed, *large;
	int gone, id, far, lonely;
	struct shmid_ds ds;
	pid_t pid;

	must(unshare(CLONE_NEWIPC));
	gone = must(shmget(IPC_PRIVATE, 100, 0600)); /* so that ids are not just 0, 1, 2 */
	must(shmctl(gone, IPC_RMID, NULL));
	id = must(shmget(0x1234, SIZE, IPC_CREAT | 0600));
	lonely = must(shmget(0x77, LARGE, IPC_CREAT | 0600));
	far = must(shmget(IPC_PRIVATE, 8192, 0600));
	memory = shmat(id, NULL, 0);
	readonly = shmat(id, NULL, SHM_RDONLY);
	removed = shmat(far, NULL, 0);
	large = shmat(lonely, NULL, 0);
	CHECK(memory != (void *)-1 && readonly != (void *)-1 && removed != (void *)-1 && large != (void *)-1);
	fill(memory, SIZE, 1);
	fill(removed, 8192, 2);
	fill(large + LARGE / 2, 10000, 3); /* the rest are holes */
	must(shmdt(large));
	give_away(id);
	give_away(lonely);
	must(shmctl(far, IPC_RMID, NULL));
	pid = start_child(child, memory);

	checkpoint_with(1);

	join_child(pid, 0);
	CHECK_EQUAL(shmget(0x1234, SIZE, 0), id);
	CHECK_EQUAL(shmget(0x77, 1, 0), lonely);
	check_segment(id, 0x1234, SIZE);
	check_segment(lonely, 0x77, LARGE);
	CHECK_EQUAL(memory[SIZE - 1], 77);
	check_filled(readonly, SIZE - 1, 1);
	check_filled(removed, 8192, 2);
	large = shmat(lonely, NULL, 0);
	CHECK(large != (void *)-1);
	check_filled(large + LARGE / 2, 10000, 3);
	for (size_t i = 0; i < LARGE / 2; i += 4096)
		CHECK_EQUAL(large[i], 0);
	/* It goes with its last user. */
	CHECK_EQUAL(shmctl(far, IPC_STAT, &ds), 0);
	CHECK_EQUAL(shmdt(removed), 0);
	CHECK(shmctl(far, IPC_STAT, &ds) < 0 && errno == EINVAL);
	CHECK_EQUAL(shmctl(id, IPC_STAT, &ds), 0);
	CHECK_EQUAL(ds.shm_nattch, 2u);
	return 0;
}
