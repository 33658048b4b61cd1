// SPDX-License-Identifier: GPL-2.0-only
/* What /proc tells of processes and threads that have ended: open files, the current directory; and files named by
 * descriptors and threads of the program itself, also as current directory. */
#include <pthread.h>

#include "subject.h"
#include "tools.h"

SUBJECT(.ignore = "fd") /* of the ended thread: as one of a process with its number */

static pid_t tid;
static int go[2];

static void *end(void *arg)
{
	__atomic_store_n(&tid, (pid_t)syscall(SYS_gettid), __ATOMIC_SEQ_CST);
	CHECK_EQUAL(read(go[0], arg, 1), 1);
	return NULL;
}

static void *stay(void *arg)
{
	*(pid_t *)arg = (pid_t)syscall(SYS_gettid);
	wait_for_restore();
	while (access(control_path("looked"), F_OK) < 0)
		sleep_ms(5);
	return NULL;
}

static int quit(void *arg)
{
	return 0;
}

static void enter(const char *format, pid_t pid, pid_t thread)
{
	char path[128];

	snprintf(path, sizeof(path), format, pid, thread);
	must(chdir(path));
}

/* Its child stands in the directory of one of its threads. */
static int work(void *arg)
{
	char path[256], wanted[256];
	static pid_t number;
	pthread_t thread;

	CHECK_EQUAL(pthread_create(&thread, NULL, stay, &number), 0);
	while (!__atomic_load_n(&number, __ATOMIC_SEQ_CST))
		sleep_ms(1);
	enter("/proc/%d/task/%d", getpid(), number);
	wait_for_restore();
	snprintf(wanted, sizeof(wanted), "/proc/%d/task/%d", getpid(), number);
	CHECK(getcwd(path, sizeof(path)) && !strcmp(path, wanted));
	must(close(must(open(control_path("looked"), O_CREAT | O_WRONLY, 0600))));
	pthread_join(thread, NULL);
	return 0;
}

int main(void)
{
	pid_t brief = start_child(quit, NULL), child = start_child(work, NULL);
	int data = must(open("data", O_RDWR | O_CREAT, 0600)), of_data, of_thread, of_brief, again;
	char text[512], c;
	pthread_t thread;

	must(pipe(go));
	must(pwrite(data, "12345", 5, 0));
	must(lseek(data, 3, SEEK_SET));
	CHECK_EQUAL(pthread_create(&thread, NULL, end, &c), 0);
	while (!__atomic_load_n(&tid, __ATOMIC_SEQ_CST))
		sleep_ms(1);
	of_data = open_formatted(O_RDONLY, "/proc/self/fdinfo/%d", data);
	of_thread = open_formatted(O_RDONLY, "/proc/self/task/%d/stat", tid);
	of_brief = open_formatted(O_RDONLY, "/proc/%d/stat", brief);
	again = open_formatted(O_PATH | O_NOFOLLOW, "/proc/self/fd/%d", data);
	enter("/proc/%d", brief, 0);
	CHECK_EQUAL(write(go[1], "x", 1), 1);
	pthread_join(thread, NULL);
	join_child(brief, 0);
	while (pread(of_thread, text, sizeof(text), 0) >= 0) /* pthread_join() does not wait for the kernel */
		sleep_ms(1);

	checkpoint_with(2);

	CHECK(!getcwd(text, sizeof(text)));
	CHECK_EQUAL(errno, ENOENT);
	CHECK_EQUAL(read(of_thread, text, sizeof(text)), -1);
	CHECK_EQUAL(errno, ESRCH);
	CHECK_EQUAL(read(of_brief, text, sizeof(text)), -1);
	CHECK_EQUAL(errno, ESRCH);
	CHECK(read(of_data, text, sizeof(text)) > 0);
	CHECK(!strncmp(text, "pos:\t3\n", 7));
	CHECK(readlinkat(again, "", text, sizeof(text)) > 0);
	join_child(child, 0);
	return 0;
}
