// SPDX-License-Identifier: GPL-2.0-only
/*
 * Requests of an io_uring are done with the rights that they had: of another user whose process has made it with a
 * thread (IORING_SETUP_SQPOLL), of one that the process was for that moment, and those of a personality.
 */
#include <grp.h>
#include <poll.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "uring.h"

SUBJECT(.ignore = "fd Threads")

#define USER	  1234
#define GROUP	  2345
#define EXTRA	  3456
#define PERSONAL  3
#define NEW_FILES (O_CREAT | O_EXCL | O_WRONLY)

/* The completion of the request that was put in last. */
static int finish(struct uring *u)
{
	int res;

	must(syscall(SYS_io_uring_enter, u->fd, 1, 1, IORING_ENTER_GETEVENTS | IORING_ENTER_SQ_WAKEUP, NULL, 0));
	while (!uring_peek(u))
		sched_yield();
	res = uring_peek(u)->res;
	__atomic_store_n(u->cq_head, *u->cq_head + 1, __ATOMIC_RELEASE);
	return res;
}

static int open_by_ring(struct uring *u, const char *path, int flags, uint16_t personality)
{
	struct io_uring_sqe *sqe = uring_next(u, 1);

	sqe->opcode = IORING_OP_OPENAT;
	sqe->fd = AT_FDCWD;
	sqe->addr = (uintptr_t)path;
	sqe->open_flags = (uint32_t)flags;
	sqe->len = 0644;
	sqe->personality = personality;
	uring_put(u);
	return finish(u);
}

static void check_rights(struct uring *u, const char *name, uint16_t personality)
{
	struct stat info;
	int fd = open_by_ring(u, name, NEW_FILES, personality);

	CHECK(fd >= 0);
	CHECK_EQUAL(fstat(fd, &info), 0);
	CHECK_EQUAL(info.st_uid, USER);
	CHECK_EQUAL(info.st_gid, GROUP);
	CHECK_EQUAL(close(fd), 0);
	CHECK_EQUAL(unlink(name), 0);
	CHECK_EQUAL(open_by_ring(u, "of-root", O_RDONLY, personality), -EACCES);
	fd = open_by_ring(u, "of-group", O_RDONLY, personality);
	CHECK(fd >= 0);
	CHECK_EQUAL(close(fd), 0);
}

static void make_file(const char *name, gid_t group, mode_t mode)
{
	int fd = must(open(name, NEW_FILES, 0600));

	must(fchown(fd, 0, group));
	must(fchmod(fd, mode));
	must(close(fd));
}

/* As much as can be taken back, and as it was. */
static void act_as(uid_t user, gid_t group, size_t n)
{
	const gid_t extra = EXTRA;

	if (user == 0)
		must(seteuid(0));
	must(setgroups(n, &extra));
	must(setegid(group));
	if (user)
		must(seteuid(user));
}

static _Noreturn void be_user(void)
{
	const gid_t extra = EXTRA;
	struct uring u;

	must(setgroups(1, &extra));
	must(setresgid(GROUP, GROUP, GROUP));
	must(setresuid(USER, USER, USER));
	must(prctl(PR_SET_DUMPABLE, 1));
	uring_make(&u, 8, IORING_SETUP_SQPOLL);
	check_rights(&u, "by-user-before", 0);
	wait_for_restore();
	CHECK_EQUAL(getuid(), USER);
	check_rights(&u, "by-user", 0);
	_exit(0);
}

static struct uring acted, personal, single;

static int register_personality(struct uring *u)
{
	return (int)must(syscall(SYS_io_uring_register, u->fd, IORING_REGISTER_PERSONALITY, NULL, 0));
}

static void unregister_personality(struct uring *u, int number)
{
	must(syscall(SYS_io_uring_register, u->fd, IORING_UNREGISTER_PERSONALITY, NULL, number));
}

static char received[16];
static int pipe_fds[2];

/* The third one is the user's, the first and the second are gone. */
static void make_personalities(struct uring *u)
{
	CHECK_EQUAL(register_personality(u), 1);
	CHECK_EQUAL(register_personality(u), 2);
	act_as(USER, GROUP, 1);
	CHECK_EQUAL(register_personality(u), PERSONAL);
	act_as(0, 0, 0);
	unregister_personality(u, 1);
	unregister_personality(u, 2);
}

static void check_personalities(struct uring *u, const char *name)
{
	check_rights(u, name, PERSONAL);
	CHECK_EQUAL(open_by_ring(u, "of-root", O_RDONLY, 1), -EINVAL);
	CHECK(open_by_ring(u, "of-root", O_RDONLY, 0) >= 0);
}

static void start_read(struct uring *u)
{
	struct io_uring_sqe *sqe = uring_next(u, 5);

	must(pipe(pipe_fds));
	sqe->opcode = IORING_OP_READ;
	sqe->fd = pipe_fds[0];
	sqe->addr = (uintptr_t)received;
	sqe->len = sizeof(received);
	sqe->personality = PERSONAL;
	uring_put(u);
	CHECK_EQUAL(uring_enter(u, 1, 0), 1);
}

int main(void)
{
	int status;
	pid_t child;

	must(chmod(".", 0777));
	make_file("of-root", 0, 0600);
	make_file("of-group", EXTRA, 0640);
	child = must(fork());
	if (child == 0)
		be_user();
	act_as(USER, GROUP, 1);
	uring_make(&acted, 8, IORING_SETUP_SQPOLL);
	act_as(0, 0, 0);
	check_rights(&acted, "acted-before", 0);
	uring_make(&personal, 8, 0);
	make_personalities(&personal);
	check_personalities(&personal, "personal-before");
	start_read(&personal);
	uring_make(&single, 8, IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN);
	make_personalities(&single);

	checkpoint_with(1);

	check_rights(&acted, "acted", 0);
	CHECK_EQUAL(write(pipe_fds[1], "read", 5), 5);
	CHECK_EQUAL(finish(&personal), 5);
	CHECK_EQUAL(strcmp(received, "read"), 0);
	check_personalities(&personal, "personal");
	check_personalities(&single, "single");
	CHECK_EQUAL(waitpid(child, &status, 0), child);
	CHECK_EQUAL(status, 0);
	return 0;
}
