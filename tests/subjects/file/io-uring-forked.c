// SPDX-License-Identifier: GPL-2.0-only
/* An io_uring that a child has inherited with its memory stays one for both, also where it has another number; one that
 * nobody has mapped stays as well. */
#include "uring.h"

SUBJECT()

static struct uring u, unmapped, gone;

static int child(void *arg)
{
	wait_for_restore();
	uring_nops(&u, 1, 7);
	CHECK_EQUAL(fcntl(gone.fd, F_GETFD), -1);
	return 0;
}

int main(void)
{
	pid_t pid;
	int copy;

	uring_make(&u, 8, 0);
	uring_make(&unmapped, 8, 0);
	uring_make(&gone, 8, 0);
	uring_nops(&u, 5, 100);
	uring_take(&u, 4, 100);
	uring_nops(&unmapped, 9, 10);
	uring_take(&unmapped, 9, 10);
	must(munmap(unmapped.rings, unmapped.rings_size));
	must(munmap(unmapped.sqes, unmapped.sqes_size));
	must(munmap(gone.rings, gone.rings_size));
	must(madvise(gone.sqes, gone.sqes_size, MADV_DONTFORK));
	close(gone.fd);
	must(munmap(gone.sqes, gone.sqes_size));
	must(madvise(u.sqes, u.sqes_size, MADV_DONTDUMP));
	pid = start_child(child, NULL);
	copy = must(dup(u.fd));
	close(u.fd);
	u.fd = copy;

	checkpoint_with(1);

	join_child(pid, 0);
	uring_take(&u, 1, 104);
	uring_take(&u, 1, 7);
	uring_nops(&u, 20, 200);
	CHECK_EQUAL(*u.sq_head, 26);
	uring_map(&unmapped);
	CHECK_EQUAL(*unmapped.sq_head, 9);
	uring_nops(&unmapped, 1, 1);
	uring_take(&unmapped, 1, 1);
	return 0;
}
