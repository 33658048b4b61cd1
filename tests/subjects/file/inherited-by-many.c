// SPDX-License-Identifier: GPL-2.0-only
/* Many children have what their parent had open, but for what they closed, opened again, marked or locked. */
#include <linux/kcmp.h>
#include <sys/syscall.h>

#include "subject.h"

SUBJECT(.options = "--file-locks", .seconds = 30)

#define N 70

static int shared, locked, pipes[2], again, marked;

static int lock(short type, off_t at)
{
	struct flock range = { .l_type = type, .l_whence = SEEK_SET, .l_start = at, .l_len = 1 };

	return fcntl(locked, F_SETLK, &range);
}

static bool is_same(pid_t pid, int fd)
{
	return syscall(SYS_kcmp, getpid(), pid, KCMP_FILE, fd, fd) == 0;
}

static int child(void *arg)
{
	const int number = (int)(long)arg;
	const pid_t parent = getppid();
	char byte;

	if (number % 3 == 0)
		must(close(pipes[1]));
	if (number % 3 == 1) {
		must(close(again));
		CHECK_EQUAL(must(open("data", O_RDONLY)), again);
	}
	if (number % 3 == 2)
		must(fcntl(marked, F_SETFD, FD_CLOEXEC));
	must(lock(F_WRLCK, number));

	wait_for_restore();

	CHECK(is_same(parent, shared) && is_same(parent, locked) && is_same(parent, pipes[0]));
	CHECK_EQUAL(fcntl(pipes[1], F_GETFD) < 0, number % 3 == 0);
	CHECK_EQUAL(is_same(parent, again), number % 3 != 1);
	CHECK_EQUAL(fcntl(marked, F_GETFD), number % 3 == 2 ? FD_CLOEXEC : 0);
	CHECK_EQUAL(lseek(shared, 0, SEEK_CUR), 3);
	CHECK_EQUAL(pread(again, &byte, 1, number), 1);
	CHECK_EQUAL(byte, number);
	CHECK_EQUAL(lock(F_WRLCK, N), -1); /* the parent's */
	CHECK_EQUAL(lock(F_UNLCK, number), 0);
	return 0;
}

int main(void)
{
	char bytes[N];
	pid_t pids[N];

	for (int i = 0; i < N; i++)
		bytes[i] = (char)i;
	shared = must(open("data", O_RDWR | O_CREAT, 0600));
	must(write(shared, bytes, N));
	must(lseek(shared, 3, SEEK_SET));
	locked = must(open("locked", O_RDWR | O_CREAT, 0600));
	must(pipe(pipes));
	must(write(pipes[1], "ab", 2));
	again = must(open("data", O_RDONLY));
	marked = must(open("/dev/null", O_RDONLY));
	must(lock(F_WRLCK, N));
	for (long i = 0; i < N; i++)
		pids[i] = start_child(child, (void *)i);

	checkpoint_with(N);

	for (int i = 0; i < N; i++)
		join_child(pids[i], 0);
	for (int i = 0; i < N; i++)
		CHECK_EQUAL(lock(F_WRLCK, i), 0);
	CHECK_EQUAL(read(pipes[0], bytes, N), 2);
	return 0;
}
