// SPDX-License-Identifier: GPL-2.0-only
/* Blocked system calls of a 32-bit program, made by the vdso and by int $0x80, go on: also by socketcall(2) and ipc(2).
 */
#include "subject.h"

#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/socket.h>

SUBJECT()

static int pipes[2][2], sockets[2], queue;
static uint32_t word;
static volatile pid_t tids[5];

static long int80(long nr, long a, long b, long c)
{
	long result;

	__asm__ volatile("int $0x80" : "=a"(result) : "a"(nr), "b"(a), "c"(b), "d"(c) : "memory");
	return result;
}

static void by_vdso(void)
{
	char c = 0;

	CHECK_EQUAL(read(pipes[0][0], &c, 1), 1);
	CHECK_EQUAL(c, 'v');
}

static void by_int80(void)
{
	char c = 0;

	CHECK_EQUAL(int80(SYS_read, pipes[1][0], (long)&c, 1), 1);
	CHECK_EQUAL(c, 'i');
}

static void by_socketcall(void)
{
	char c = 0;
	long args[] = { sockets[0], (long)&c, 1, 0 };

	CHECK_EQUAL(syscall(SYS_socketcall, 10 /* recv */, args), 1);
	CHECK_EQUAL(c, 's');
}

static void by_ipc(void)
{
	struct {
		long type;
		char text;
	} message = { 0 };
	struct {
		void *message;
		long type;
	} where = { &message, 0 };

	CHECK_EQUAL(syscall(SYS_ipc, 12 /* msgrcv */, queue, 1, 0, &where, 0), 1);
	CHECK_EQUAL(message.text, 'q');
}

static void by_futex(void)
{
	CHECK_EQUAL(syscall(SYS_futex, &word, FUTEX_WAIT, 0, NULL), 0);
}

static void (*const waits[5])(void) = { by_vdso, by_int80, by_socketcall, by_ipc, by_futex };
static const long numbers[5] = { SYS_read, SYS_read, SYS_socketcall, SYS_ipc, SYS_futex };

static void *wait_in_call(void *arg)
{
	long i = (long)arg;

	announce_waiter();
	tids[i] = (pid_t)syscall(SYS_gettid);
	waits[i]();
	return NULL;
}

int main(void)
{
	struct {
		long type;
		char text;
	} message = { 1, 'q' };
	pthread_t threads[5];

	must(pipe(pipes[0]));
	must(pipe(pipes[1]));
	must(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets));
	queue = must(msgget(IPC_PRIVATE, 0600));
	for (long i = 0; i < 5; i++)
		CHECK_EQUAL(pthread_create(&threads[i], NULL, wait_in_call, (void *)i), 0);
	for (int i = 0; i < 5; i++) {
		while (!tids[i])
			sleep_ms(1);
		await_call(tids[i], numbers[i]);
	}

	checkpoint_with(5);

	CHECK_EQUAL(write(pipes[0][1], "v", 1), 1);
	CHECK_EQUAL(write(pipes[1][1], "i", 1), 1);
	CHECK_EQUAL(write(sockets[1], "s", 1), 1);
	must(msgsnd(queue, &message, 1, 0));
	await_call(tids[4], SYS_futex);
	CHECK_EQUAL(syscall(SYS_futex, &word, FUTEX_WAKE, 1), 1);
	for (int i = 0; i < 5; i++)
		CHECK_EQUAL(pthread_join(threads[i], NULL), 0);
	must(msgctl(queue, IPC_RMID, NULL));
	return 0;
}
