/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * POSIX message queues (mq_overview(7)). A queue lives until it is unlinked, with its messages: it only needs to be opened again.
 * A file of the mqueue file system, opened by path, is a queue descriptor as well.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/log.h"
#include "base/text.h"
#include "kern/proc/mountinfo.h"
#include "object/file/file.h"

#define MQUEUE_MAGIC 0x19800202 /* ipc/mqueue.c */

static bool is_queue(const struct open_file *of)
{
	return S_ISREG(of->stat.st_mode) && !(of->flags & O_PATH);
}

static int find_mount(struct dump *d, const struct open_file *of, const char **ret)
{
	AUTO(proc_mounts_done) struct proc_mounts mounts = { 0 };
	AUTO_CLOSE int proc = open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (proc < 0)
		return fail_errno("opening /proc/self");
	TRY(proc_mounts_read(proc, d->pool, &mounts));
	for (size_t i = 0; i < mounts.n; i++)
		if (mounts.items[i].dev == of->stat.st_dev) {
			*ret = mounts.items[i].mountpoint;
			return 0;
		}
	return refuse(ENOENT, "the message queues are mounted nowhere: mount -t mqueue none /dev/mqueue");
}

/* "QSIZE:0 NOTIFY:0 SIGNO:10 NOTIFY_PID:8260" */
static void warn_of_notification(const char *path)
{
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	char text[128];
	ssize_t got = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	const char *pid;

	if (got <= 0)
		return;
	text[got] = 0;
	pid = strstr(text, "NOTIFY_PID:");
	if (pid && strtol(pid + strlen("NOTIFY_PID:"), NULL, 10) > 0)
		log_warn("process %ld waits for a notification of message queue %s (mq_notify): it will have to ask again",
			 strtol(pid + strlen("NOTIFY_PID:"), NULL, 10), path);
}

static int dump_mqueue(struct dump *d, const struct open_file *of, FileEntry *out)
{
	RegFileEntry *record = out->reg;
	const char *mountpoint = NULL;
	struct stat st;

	TRY(find_mount(d, of, &mountpoint));
	if (text_starts(of->link, mountpoint))
		record->name = pool_string(d->pool, of->link); /* opened by path */
	else
		record->name = pool_printf(d->pool, "%s%s", mountpoint, of->link);
	if (stat(record->name, &st) < 0 || st.st_ino != of->stat.st_ino || st.st_dev != of->stat.st_dev)
		return refuse(ENOTSUP, "this message queue was unlinked: its messages can't be saved");
	record->id = of->id;
	record->flags = of->flags;
	record->fown = of->owner;
	record->has_mode = true;
	record->mode = of->stat.st_mode;
	warn_of_notification(record->name);
	return 0;
}

/* Its records are read by the regular kind. */
static bool claims_nothing(const FileEntry *entry)
{
	return false;
}

const struct file_kind mqueue_kind = {
	.name = "mqueue",
	.type = FD_TYPES__REG,
	.entry = offsetof(FileEntry, reg),
	.fs_magic = MQUEUE_MAGIC,
	.is = is_queue,
	.claims = claims_nothing,
	.dump = dump_mqueue,
};
