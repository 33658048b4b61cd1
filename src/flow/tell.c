/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Programs that want to know when they are checkpointed and restored (docs/TELL.md). What they share with us is theirs:
 * it is read and written by calls, never through a mapping, which a program could cut off under our hands.
 */
#include "flow/tell.h"

#include <criu-tell.h>
#include <errno.h>
#include <limits.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/interrupt.h"
#include "base/io.h"
#include "base/log.h"
#include "base/pool.h"
#include "base/vector.h"
#include "kern/proc/proc.h"
#include "kern/proc/running.h"
#include "kern/proc/stat.h"
#include "kern/proc/status.h"
#include "object/memory/memory.h"
#include "options/options.h"
#include "session/copy.h"

#define LINK	  "/memfd:" CRIU_TELL_NAME " (deleted)"
#define STEP_MS	  2
#define SETTLE_MS 50

struct told {
	pid_t pid;
	int fd;
	ino_t ino;
	uint32_t signal, number;
	bool answered, signal_due;
};

struct tell {
	dev_t dev; /* of all that memfd_create(2) makes; 0: not known */
	VECTOR(struct told) items;
};

/* --- finding them --- */

static bool is_known(const struct tell *tell, const struct running_descriptor *one)
{
	for (size_t i = 0; i < tell->items.n; i++)
		if (tell->items.items[i].ino == one->ino)
			return true;
	return false;
}

/* A child has a copy of its parent's: it is for the one that made it. */
static bool is_owner(int proc, uint32_t owner)
{
	AUTO(proc_status_done) struct proc_status status = { 0 };

	return proc_status_read(proc, &status) == 0 && status.n_levels &&
	       (uint32_t)status.ns_pid[status.n_levels - 1] == owner;
}

static bool read_content(int fd, struct criu_tell *to)
{
	return io_pread(fd, to, sizeof(*to), 0) >= (ssize_t)CRIU_TELL_SIZE_MIN;
}

struct tell_search {
	struct tell *tell;
	pid_t pid;
	int proc;
};

static bool has_name(int fd)
{
	char path[32], link[64];
	ssize_t length;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	length = readlink(path, link, sizeof(link));
	return length == sizeof(LINK) - 1 && !memcmp(link, LINK, sizeof(LINK) - 1);
}

/* The program may have opened it for itself in another way than we need. */
static int open_again(int fd)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
}

static bool may_be_told(void *arg, const struct running_descriptor *one)
{
	const struct tell *tell = ((const struct tell_search *)arg)->tell;

	return one->format == S_IFREG && (!tell->dev || one->dev == tell->dev);
}

static bool look_at_descriptor(void *arg, const struct running_descriptor *one)
{
	const struct tell_search *search = arg;
	struct tell *tell = search->tell;
	struct criu_tell content;
	AUTO_CLOSE int fd = -1;

	if (!has_name(one->fd) || is_known(tell, one))
		return false;
	fd = open_again(one->fd);
	if (fd < 0 || !read_content(fd, &content) || content.magic != CRIU_TELL_MAGIC ||
	    !is_owner(search->proc, content.owner))
		return false;
	*vector_push(&tell->items) = (struct told){
		.pid = search->pid,
		.fd = TAKE_FD(fd),
		.ino = one->ino,
		.signal = content.signal,
		.number = content.number,
	};
	return false;
}

void tell_look_at(struct tell *tell, struct file_iter *files, pid_t pid, int proc)
{
	struct tell_search search = { tell, pid, proc };

	running_visit_descriptors(pid, proc,
				  &(struct running_visitor){ files, may_be_told, look_at_descriptor, &search });
}

/* Most descriptors need no second look: those that we want have the same device as this one. */
struct tell *tell_create(void)
{
	struct tell *tell = xzalloc(sizeof(*tell));
	AUTO_CLOSE int fd = memfd_create("criu", MFD_CLOEXEC);
	struct stat st;

	if (fd >= 0 && fstat(fd, &st) == 0)
		tell->dev = st.st_dev;
	return tell;
}

/* --- talking --- */

/* Whoever waits for the number. The mapping is touched by the kernel alone, which may fail. */
static void wake_waiters(const struct told *told)
{
	char *map = mmap(NULL, sizeof(struct criu_tell), PROT_READ | PROT_WRITE, MAP_SHARED, told->fd, 0);

	if (map == MAP_FAILED)
		return;
	(void)syscall(SYS_futex, map + offsetof(struct criu_tell, number), FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
	munmap(map, sizeof(struct criu_tell));
}

/* The number last: it says that the rest is there. */
static void change_state(struct told *told, uint32_t state)
{
	struct criu_tell content;

	if (!read_content(told->fd, &content))
		return;
	content.copies += state == CRIU_TELL_RESTORED;
	told->number = content.number + 1;
	if (io_pwrite(told->fd, &content.copies, 4, offsetof(struct criu_tell, copies)) < 0 ||
	    io_pwrite(told->fd, &state, 4, offsetof(struct criu_tell, state)) < 0 ||
	    io_pwrite(told->fd, &told->number, 4, offsetof(struct criu_tell, number)) < 0)
		log_warn("task %d cannot be told", told->pid);
	wake_waiters(told);
	told->signal_due = state != CRIU_TELL_DUMP;
}

/* Which copy it is; of a checkpoint that was restored once, none. Its file need not have room for that. */
static void write_number(const struct told *told, const struct copy *copy)
{
	uint32_t words[2] = { copy ? copy->number : 0, copy ? copy->of : 0 };
	struct stat st;

	if (fstat(told->fd, &st) == 0 && st.st_size >= (off_t)sizeof(struct criu_tell) &&
	    io_pwrite(told->fd, words, sizeof(words), offsetof(struct criu_tell, copy)) < 0)
		log_warn("task %d cannot be told which copy it is", told->pid);
}

static void send_signal(const struct told *told)
{
	if (told->signal && told->signal <= (uint32_t)SIGRTMAX)
		(void)kill(told->pid, (int)told->signal);
}

/* Returns 1 when it has answered. */
static int hear_answer(struct told *told)
{
	struct criu_tell content;

	if (told->answered)
		return 1;
	if (!read_content(told->fd, &content))
		return 0;
	told->answered = content.answered == told->number;
	if (told->answered && content.refused)
		return refuse(EBUSY, "task %d does not want to be dumped now; --tell-timeout 0 does not ask it",
			      told->pid);
	return told->answered;
}

static int await_answers(struct tell *tell, unsigned seconds)
{
	const struct deadline deadline = deadline_in_seconds(seconds);
	bool all;

	do {
		all = true;
		TRY(interrupt_check());
		for (size_t i = 0; i < tell->items.n; i++) {
			int answered = hear_answer(&tell->items.items[i]);

			TRY(answered);
			all &= answered;
		}
		if (all)
			return 0;
		usleep(STEP_MS * 1000);
	} while (!deadline_passed(&deadline));
	for (size_t i = 0; i < tell->items.n; i++)
		if (!tell->items.items[i].answered)
			log_warn("task %d was told of the dump and has not answered within %u seconds "
				 "(--tell-timeout): going on without",
				 tell->items.items[i].pid, seconds);
	return 0;
}

int tell_before_dump(const struct options *options, struct tell *tell)
{
	for (size_t i = 0; tell && i < tell->items.n; i++) {
		log_info("task %d is told of the dump", tell->items.items[i].pid);
		change_state(&tell->items.items[i], CRIU_TELL_DUMP);
		send_signal(&tell->items.items[i]);
	}
	return tell && tell->items.n ? await_answers(tell, options->tell_timeout) : 0;
}

void tell_goes_on(struct tell *tell)
{
	for (size_t i = 0; tell && i < tell->items.n; i++)
		change_state(&tell->items.items[i], CRIU_TELL_GOES_ON);
}

/*
 * A task that was let go makes the call again in which it was stopped. A signal that comes before would not interrupt
 * it, and a program that only looks at signals between calls (Python) would learn of it late.
 */
static void await_call(const struct told *told)
{
	AUTO_CLOSE int proc = proc_open(told->pid);
	struct proc_stat stat;

	for (int i = 0; i < SETTLE_MS && proc >= 0; i++) {
		if (proc_stat_read(proc, &stat) < 0 || stat.state == 'S')
			return;
		usleep(1000);
	}
}

void tell_end(struct tell **tell)
{
	struct tell *gone = TAKE_PTR(*tell);

	for (size_t i = 0; gone && i < gone->items.n; i++) {
		if (gone->items.items[i].signal_due) {
			await_call(&gone->items.items[i]);
			send_signal(&gone->items.items[i]);
		}
		close(gone->items.items[i].fd);
	}
	if (gone)
		vector_done(&gone->items);
	free(gone);
}

bool tell_is_wanted(const struct restore *r)
{
	return r->options->tell_timeout && memory_has_memfd(r, CRIU_TELL_NAME);
}

void tell_restored(struct restore *r, struct tell **ret)
{
	struct tell *tell = *ret = tell_create();
	struct task *task;

	for_each_task(task, r->tree) {
		AUTO_CLOSE int proc = task_is_live(task) && task->pid > 0 ? proc_open(task->pid) : -1;

		if (proc >= 0)
			tell_look_at(tell, NULL, task->pid, proc);
	}
	for (size_t i = 0; i < tell->items.n; i++) {
		write_number(&tell->items.items[i], r->copy);
		change_state(&tell->items.items[i], CRIU_TELL_RESTORED);
	}
}
