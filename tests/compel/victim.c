/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A process that others work in, and that notices when they do it badly: victim calls | registers SECONDS | count FILE
 * [THREADS] | filter FILE THREADS (counts under a seccomp filter that kills). Built by the tests with plain cc.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define MS 700

static const struct timespec time_left = { .tv_nsec = MS * 1000000l };

static long now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static int do_nanosleep(void)
{
	return (int)syscall(SYS_nanosleep, &time_left, NULL);
}

static int do_poll(void)
{
	return poll(NULL, 0, MS);
}

static int do_epoll(void)
{
	struct epoll_event event;

	return epoll_wait(epoll_create1(0), &event, 1, MS);
}

static int do_futex(void)
{
	int word = 0;

	return (int)syscall(SYS_futex, &word, FUTEX_WAIT, 0, &time_left, NULL, 0);
}

static int do_sigtimedwait(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return sigtimedwait(&set, NULL, &time_left);
}

static int do_recv(void)
{
	struct timeval tv = { .tv_usec = MS * 1000 };
	int pair[2];
	char byte;

	socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
	setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	return (int)recv(pair[0], &byte, 1, 0);
}

static int do_semtimedop(void)
{
	struct sembuf op = { .sem_op = -1 };
	int id = semget(IPC_PRIVATE, 1, 0600), result = semtimedop(id, &op, 1, &time_left), saved = errno;

	semctl(id, 0, IPC_RMID);
	errno = saved;
	return result;
}

static void *write_later(void *fd)
{
	usleep(MS * 1000);
	(void)!write(*(int *)fd, "x", 1);
	return NULL;
}

static int do_read(void)
{
	static int pipefd[2];
	pthread_t thread;
	char byte;

	if (pipe(pipefd) < 0 || pthread_create(&thread, NULL, write_later, &pipefd[1]))
		abort();
	return (int)read(pipefd[0], &byte, 1);
}

static const struct {
	const char *name;
	int (*call)(void);
	int result, error;
} calls[] = {
	{ "nanosleep", do_nanosleep, 0, 0 },
	{ "poll", do_poll, 0, 0 },
	{ "epoll_wait", do_epoll, 0, 0 },
	{ "futex", do_futex, -1, ETIMEDOUT },
	{ "sigtimedwait", do_sigtimedwait, -1, EAGAIN },
	{ "recv", do_recv, -1, EAGAIN },
	{ "semtimedop", do_semtimedop, -1, EAGAIN },
	{ "read", do_read, 1, 0 },
};

/* Each call, as if nobody had disturbed it. Sleeping a little longer is no fault. */
static int make_calls(void)
{
	int wrong = 0;

	for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++) {
		long start = now_ms(), spent;
		int result, error;

		printf("%s\n", calls[i].name);
		fflush(stdout);
		errno = 0;
		result = calls[i].call();
		error = errno;
		spent = now_ms() - start;
		if (result == calls[i].result && (result >= 0 || error == calls[i].error) && spent >= MS - 20)
			continue;
		printf("WRONG: %s returned %d (%s) after %ld ms\n", calls[i].name, result, strerror(error), spent);
		wrong = 1;
	}
	printf("done\n");
	fflush(stdout);
	getchar(); /* stays for those who are late, until its input ends */
	return wrong;
}

/* Fills registers, lets time pass, and looks whether they are what they were. Returns how many times. */
static long check_registers(long rounds)
{
	double in[4] = { 1.5, -2.25, 1e300, 3 }, out[4];
	long kept = 0;

	for (long i = 0; i < rounds; i++) {
		unsigned long a = 0x1111111111111111ul * (unsigned long)(i & 15), b = ~a, c = a ^ 0x5a5a5a5a;
		unsigned long spins = 2000;

#if defined(__aarch64__)
		__asm__ volatile("mov x7, %[a]\n\t"
				 "ldr q7, [%[in]]\n\t"
				 "ldr q15, [%[in], #16]\n\t"
				 "1: subs %[spins], %[spins], #1\n\t"
				 "b.ne 1b\n\t"
				 "str q7, [%[out]]\n\t"
				 "str q15, [%[out], #16]\n\t"
				 "mov %[a], x7"
				 : [a] "+r"(a), "+r"(b), "+r"(c), [spins] "+r"(spins)
				 : [in] "r"(in), [out] "r"(out)
				 : "x7", "v7", "v15", "memory", "cc");
#else
		__asm__ volatile("movupd (%[in]), %%xmm7\n\t"
				 "movupd 16(%[in]), %%xmm15\n\t"
				 "std\n\t"
				 "1: dec %[spins]\n\t"
				 "jnz 1b\n\t"
				 "cld\n\t"
				 "movupd %%xmm7, (%[out])\n\t"
				 "movupd %%xmm15, 16(%[out])"
				 : "+r"(a), "+r"(b), "+r"(c), [spins] "+r"(spins)
				 : [in] "r"(in), [out] "r"(out)
				 : "xmm7", "xmm15", "memory", "cc");
#endif
		kept += memcmp(in, out, sizeof(in)) == 0 && a == 0x1111111111111111ul * (unsigned long)(i & 15) &&
			b == ~a && c == (a ^ 0x5a5a5a5a);
	}
	return kept;
}

/* Until its input ends. */
static int watch_registers(void)
{
	struct pollfd input = { .fd = 0, .events = POLLIN };
	long rounds = 0, kept = 0;

	printf("ready\n");
	fflush(stdout);
	for (; poll(&input, 1, 0) == 0; rounds += 10000)
		kept += check_registers(10000);
	printf("%s\n", kept == rounds ? "kept" : "LOST");
	return kept != rounds;
}

static void __attribute__((noreturn)) * idle(void *unused)
{
	for (;;)
		nanosleep(&time_left, NULL);
}

static int count(const char *path, int threads)
{
	pthread_t thread;

	for (int i = 0; i < threads; i++)
		if (pthread_create(&thread, NULL, idle, NULL))
			abort();
	for (long n = 1;; n++) {
		FILE *file = fopen(path, "w");

		fprintf(file, "%ld\n", n);
		fclose(file);
		usleep(5000);
	}
}

/* From now on socket(2) and memfd_create(2) kill. */
static void filter(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0), /* the number */
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, 1, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_memfd_create, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof(code) / sizeof(*code), code };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
		abort();
}

int main(int argc, char *argv[])
{
	if (argc > 3 && strcmp(argv[1], "filter") == 0) {
		filter();
		return count(argv[2], atoi(argv[3]));
	}
	if (argc > 1 && strcmp(argv[1], "calls") == 0)
		return make_calls();
	if (argc > 1 && strcmp(argv[1], "registers") == 0)
		return watch_registers();
	if (argc > 2 && strcmp(argv[1], "count") == 0)
		return count(argv[2], argc > 3 ? atoi(argv[3]) : 0);
	return 2;
}
