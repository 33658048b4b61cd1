// SPDX-License-Identifier: GPL-2.0-only
/* Segments of System V shared memory that have the numbers of the inodes of memfds: each keeps its own content. */
#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/shm.h>

#include "subject.h"

SUBJECT()

#define N    2
#define SIZE (8 << 20) /* dump --live watches it */

struct pair {
	int memfd, id;
	uint8_t *segment, *mapped;
};

static uint8_t *map_memfd(int fd)
{
	uint8_t *memory = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	CHECK(memory != MAP_FAILED);
	return memory;
}

/* The first memfd is only mapped, the second is only open. */
static void make(struct pair *pair, unsigned i)
{
	struct stat stat;
	char text[24];
	int fd;

	pair->memfd = must(memfd_create("numbered", 0));
	must(ftruncate(pair->memfd, SIZE));
	must(fstat(pair->memfd, &stat));
	snprintf(text, sizeof(text), "%lu", (unsigned long)stat.st_ino);
	fd = must(open("/proc/sys/kernel/shm_next_id", O_WRONLY));
	CHECK_EQUAL(must(write(fd, text, strlen(text))), (ssize_t)strlen(text));
	must(close(fd));
	pair->id = must(shmget(IPC_PRIVATE, SIZE, 0600));
	CHECK_EQUAL((unsigned long)pair->id, (unsigned long)stat.st_ino);
	pair->segment = shmat(pair->id, NULL, 0);
	CHECK(pair->segment != (void *)-1);
	pair->mapped = map_memfd(pair->memfd);
	fill(pair->mapped, SIZE, 2 * i);
	fill(pair->segment, SIZE, 2 * i + 1);
	if (i)
		must(munmap(pair->mapped, SIZE));
	else
		must(close(pair->memfd));
}

int main(void)
{
	struct pair pairs[N];

	must(unshare(CLONE_NEWIPC));
	for (unsigned i = 0; i < N; i++)
		make(&pairs[i], i);

	checkpoint();

	pairs[1].mapped = map_memfd(pairs[1].memfd);
	for (unsigned i = 0; i < N; i++) {
		struct shmid_ds ds;

		check_filled(pairs[i].mapped, SIZE, 2 * i);
		check_filled(pairs[i].segment, SIZE, 2 * i + 1);
		must(shmctl(pairs[i].id, IPC_STAT, &ds));
		CHECK_EQUAL(ds.shm_nattch, 1u);
	}
	return 0;
}
