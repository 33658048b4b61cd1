// SPDX-License-Identifier: GPL-2.0-only
/* Files below /proc: of threads, of a zombie, half read, for writing, memory, directories of a dead process, /proc/sys
 * and /sys. */
#include <pthread.h>

#include "subject.h"
#include "tools.h"

SUBJECT()

static pid_t tid;
static volatile bool done;

static void *run(void *arg)
{
	__atomic_store_n(&tid, (pid_t)syscall(SYS_gettid), __ATOMIC_SEQ_CST);
	wait_for_restore();
	while (!done)
		sleep_ms(5);
	return NULL;
}

static int quit(void *arg)
{
	return 5;
}

int main(void)
{
	pid_t zombie = start_child(quit, NULL), dead = start_child(quit, NULL);
	static volatile char marker[] = "marker";
	pthread_t thread;
	siginfo_t info;
	char text[64];

	must(pthread_create(&thread, NULL, run, NULL));
	while (!__atomic_load_n(&tid, __ATOMIC_SEQ_CST))
		sleep_ms(1);
	int of_thread = open_formatted(O_RDONLY, "/proc/self/task/%d/comm", tid),
	    of_zombie = open_formatted(O_RDONLY, "/proc/%d/stat", zombie);
	int memory = open_formatted(O_RDWR, "/proc/self/mem"),
	    maps = open_formatted(O_RDONLY, "/proc/%d/status", getpid()),
	    score = open_formatted(O_RDWR, "/proc/self/oom_score_adj");
	int folder = open_formatted(O_RDONLY | O_DIRECTORY, "/proc/%d", dead),
	    path = open_formatted(O_PATH, "/proc/%d/fd", dead);
	int sys = open_formatted(O_RDONLY, "/proc/sys/kernel/pid_max"),
	    sysfs = open_formatted(O_RDONLY, "/sys/kernel/mm/transparent_hugepage/enabled");

	must(waitid(P_PID, (id_t)zombie, &info, WEXITED | WNOWAIT));
	join_child(dead, 5);
	CHECK_EQUAL(read(maps, text, 10), 10);

	checkpoint_with(1);

	CHECK_EQUAL(lseek(maps, 0, SEEK_CUR), 10);
	CHECK(read(maps, text, 10) > 0);
	CHECK(read(of_thread, text, 10) > 0);
	CHECK(read(of_zombie, text, 60) > 0);
	snprintf(text + 40, 20, "%d (", zombie);
	CHECK(!strncmp(text, text + 40, strlen(text + 40)));
	CHECK_EQUAL(pread(memory, text, 7, (off_t)(uintptr_t)marker), 7);
	CHECK(!strcmp(text, "marker"));
	CHECK_EQUAL(write(score, "17", 2), 2);
	CHECK_EQUAL(openat(folder, "status", O_RDONLY), -1);
	CHECK(fcntl(path, F_GETFL) & O_PATH);
	CHECK(read(sys, text, 10) > 0);
	CHECK(read(sysfs, text, 10) > 0);
	done = true;
	pthread_join(thread, NULL);
	join_child(zombie, 5);
	return 0;
}
