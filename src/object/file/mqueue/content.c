/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Messages in a POSIX message queue. Nobody can look at them without taking them; so one plan takes them all and puts
 * them back. It runs in the task: should criu die, the task still runs it to its end.
 */
#include "object/file/mqueue/content.h"

#include <fcntl.h>
#include <mqueue.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "object/file/file.h"
#include "plan/plan.h"
#include "session/thread-run.h"

#define SLOT_FD	      1
#define SLOT_SIZE     2
#define SLOT_PRIORITY 3
#define SIZE_MAX_ALL  (16u << 20) /* bytes of one queue */

struct drain {
	struct dump *d;
	MqueueEntry *record;
	size_t n;
	size_t *text, *priority, *taken, *put; /* offsets in the plan */
};

/* "QSIZE:0 NOTIFY:0 SIGNO:10 NOTIFY_PID:8260": the first message that comes into an empty queue would tell that
 * process. */
static int check_notification(const struct open_file *of)
{
	char path[32], text[128];
	AUTO_CLOSE int fd = -1;
	const char *pid;
	ssize_t got;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", of->fd);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	got = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (got < 0)
		return fail_errno("looking at a message queue");
	text[got] = 0;
	pid = strstr(text, "NOTIFY_PID:");
	if (!pid || strtol(pid + strlen("NOTIFY_PID:"), NULL, 10) == 0)
		return 0;
	return refuse(EOPNOTSUPP,
		      "this message queue was unlinked, holds messages, and process %ld waits for a notification "
		      "(mq_notify): that cannot be "
		      "saved; let the program read the messages, or keep the name of the queue",
		      strtol(pid + strlen("NOTIFY_PID:"), NULL, 10));
}

static void plan_drain(struct drain *drain, const struct open_file *of, const struct mq_attr *attr, struct plan *plan)
{
	const int64_t never[2] = { 0 }; /* a time that has passed: nothing waits */
	size_t now = plan_data(plan, never, sizeof(never));
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", of->task_fd);
	plan_syscall(plan, "open the message queue once more", __NR_openat, V(AT_FDCWD),
		     D(plan_data(plan, path, sizeof(path))), V(O_RDWR | O_CLOEXEC), V(0))
		->to_slot = SLOT_FD;
	for (size_t i = 0; i < drain->n; i++) {
		struct step *step;

		drain->text[i] = plan_space(plan, (size_t)attr->mq_msgsize + 1);
		drain->priority[i] = plan_space(plan, sizeof(uint64_t));
		step = plan_syscall(
			plan, "take a message", __NR_mq_timedreceive, S(SLOT_FD), D(drain->text[i]),
			V(attr->mq_msgsize),
			D(drain->priority[i] + (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? sizeof(unsigned) : 0)),
			D(now));
		step->flags |= STEP_MAY_FAIL;
		drain->taken[i] = plan_keep_result(plan, step);
	}
	for (size_t i = 0; i < drain->n; i++) {
		struct step *step;

		plan_step(plan, "its size", STEP_GET_LONG, (struct plan_arg[]){ D(drain->taken[i]) }, 1)->to_slot =
			SLOT_SIZE;
		plan_step(plan, "its priority", STEP_GET_LONG, (struct plan_arg[]){ D(drain->priority[i]) }, 1)
			->to_slot = SLOT_PRIORITY;
		step = plan_syscall(plan, "put the message back", __NR_mq_timedsend, S(SLOT_FD), D(drain->text[i]),
				    S(SLOT_SIZE), S(SLOT_PRIORITY), D(now));
		step->flags |= STEP_MAY_FAIL;
		drain->put[i] = plan_keep_result(plan, step);
	}
	plan_syscall(plan, "close the message queue", __NR_close, S(SLOT_FD));
}

static int read_messages(struct remote *remote, void *arg)
{
	struct drain *drain = arg;
	MqueueEntry *record = drain->record;

	record->messages = pool_array(drain->d->pool, MqueueMessage *, drain->n);
	for (size_t i = 0; i < drain->n; i++) {
		int64_t taken = remote_value(remote, drain->taken[i]), put = remote_value(remote, drain->put[i]);
		MqueueMessage *message = pool_new(drain->d->pool, MqueueMessage);

		if (taken == -ETIMEDOUT)
			break; /* somebody outside of the tree was faster */
		if (taken < 0 || put < 0)
			return fail((int)-(taken < 0 ? taken : put), "looking at the messages of a message queue");
		mqueue_message__init(message);
		message->priority = (uint32_t)remote_value(remote, drain->priority[i]);
		message->text.len = (size_t)taken;
		message->text.data = pool_copy(drain->d->pool, remote_result(remote, drain->text[i]), (size_t)taken);
		record->messages[record->n_messages++] = message;
	}
	return 0;
}

/* What is to be saved of one queue. */
struct messages {
	struct mq_attr attr;
	MqueueEntry *record;
};

static int save_messages(struct dump *d, const struct open_file *of, void *arg)
{
	AUTO(plan_destroy) struct plan *plan = plan_create();
	struct messages *messages = arg;
	size_t n = (size_t)messages->attr.mq_curmsgs;
	struct drain drain = { .d = d, .record = messages->record, .n = n };

	drain.text = pool_array(d->pool, size_t, 4 * n);
	drain.priority = drain.text + n;
	drain.taken = drain.priority + n;
	drain.put = drain.taken + n;
	plan_drain(&drain, of, &messages->attr, plan);
	return thread_run_plan(d, of->task->leader, plan, read_messages, &drain);
}

int messages_dump(const struct dump *d, const struct open_file *of, const struct mq_attr *attr, MqueueEntry *record)
{
	size_t n = (size_t)attr->mq_curmsgs;
	struct messages *messages = pool_new(d->pool, struct messages);

	if (of->task_fd < 0 || n * ((size_t)attr->mq_msgsize + sizeof(struct step) * 4) > SIZE_MAX_ALL)
		return refuse(EOPNOTSUPP,
			      "this message queue was unlinked and holds %zu messages: too much, or in a message "
			      "itself; let the program "
			      "read them, or keep the name of the queue",
			      n);
	TRY(check_notification(of));
	messages->attr = *attr;
	messages->record = record;
	file_dump_save(d, save_messages, messages);
	return 0;
}
