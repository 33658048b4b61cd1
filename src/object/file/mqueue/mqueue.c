/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * POSIX message queues (mq_overview(7)). A queue lives until it is unlinked, with its messages: it only needs to be
 * opened again. One without a name is made again. A file of the mqueue file system, opened by path, is a queue
 * descriptor as well.
 */
#include <fcntl.h>
#include <limits.h>
#include <mqueue.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/file.h"
#include "base/log.h"
#include "base/table.h"
#include "base/text.h"
#include "fdinfo.pb-c.h"
#include "kern/proc/mountinfo.h"
#include "object/file/file.h"
#include "object/file/mqueue/content.h"
#include "object/mount/mount.h"
#include "object/namespace/namespace.h"
#include "session/ids.h"
#include "session/loss.h"

const struct file_kind mqueue_kind;

#define KERNEL_LARGEFILE 0100000    /* O_LARGEFILE is 0 here */
#define MQUEUE_MAGIC	 0x19800202 /* ipc/mqueue.c */

static bool is_queue(const struct open_file *of)
{
	return S_ISREG(of->stat.st_mode) && !(of->flags & O_PATH);
}

/* Each has a file system of its own. */
static int ask_device(void *arg)
{
	AUTO_CLOSE int fs = fsopen("mqueue", FSOPEN_CLOEXEC);
	AUTO_CLOSE int mount = -1;
	struct stat st;

	if (fs < 0 || fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return fail_errno("looking for POSIX message queues");
	mount = fsmount(fs, FSMOUNT_CLOEXEC, 0);
	if (mount < 0 || fstat(mount, &st) < 0)
		return fail_errno("looking for POSIX message queues");
	*(dev_t *)arg = st.st_dev;
	return 0;
}

/* The IPC namespace that a queue belongs to, by its number in the images; 0: none that is saved. */
static int find_space(const struct dump *d, const struct open_file *of, uint32_t *ret)
{
	struct namespace *ns;
	dev_t dev;

	*ret = 0;
	for_each_namespace(ns, dump_namespaces(d)) {
		if (ns->kind->flag != CLONE_NEWIPC || ns->own || ns->joined || !namespace_is_held(ns))
			continue;
		TRY(namespace_run_on(ns, 0, ask_device, &dev));
		if (dev == of->stat.st_dev)
			*ret = ns->id;
	}
	return 0;
}

/* Where the queues of this IPC namespace are mounted; NULL if nowhere. */
static int find_mount(const struct dump *d, const struct open_file *of, const char **ret, int *ret_id)
{
	AUTO(proc_mounts_done) struct proc_mounts mounts = { 0 };
	AUTO_CLOSE int proc = open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC);
	const struct proc_mounts *all = mount_dump_seen(d, of->task);

	*ret = NULL;
	if (proc < 0)
		return fail_errno("opening /proc/self");
	if (!all)
		TRY(proc_mounts_read(proc, d->pool, &mounts));
	if (!all)
		all = &mounts;
	for (size_t i = 0; i < all->n && !*ret; i++) {
		if (all->items[i].dev != of->stat.st_dev)
			continue;
		*ret = all->items[i].mountpoint;
		*ret_id = all->items[i].id;
	}
	return 0;
}

/*
 * A queue as a file: "QSIZE:0 NOTIFY:0 SIGNO:10 NOTIFY_PID:8260", also if its descriptor is for writing only. What
 * value comes with the signal is not told.
 */
static void tell_notification(const struct dump *d, const struct open_file *of)
{
	char path[32], text[128];
	const char *pid;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", of->fd);
	if (file_read_text(AT_FDCWD, path, text, sizeof(text)) <= 0)
		return;
	pid = strstr(text, "NOTIFY_PID:");
	if (pid && strtol(pid + strlen("NOTIFY_PID:"), NULL, 10) > 0)
		dump_report_loss(d,
				 "the notification that process %ld waits for (mq_notify): it will have to ask again",
				 strtol(pid + strlen("NOTIFY_PID:"), NULL, 10));
}

static void destroy_drained(void *state)
{
	table_destroy(state);
}

static const struct state_type drained_state = { sizeof(struct table *), destroy_drained }; /* by inode */

/* The first record of a queue has its messages. */
static bool was_drained(const struct dump *d, const struct open_file *of)
{
	struct table **drained = state_get(d->states, &drained_state);

	if (!*drained)
		*drained = table_create();
	return table_set(*drained, of->stat.st_ino, d->pool);
}

static int dump_attributes(const struct dump *d, const struct open_file *of, RegFileEntry *record)
{
	struct mq_attr attr;
	bool named = of->stat.st_nlink > 0;

	if (mq_getattr(of->fd, &attr) < 0)
		return fail_errno("asking for its attributes");
	record->mqueue = pool_new(d->pool, MqueueEntry);
	mqueue_entry__init(record->mqueue);
	record->mqueue->has_named = true;
	record->mqueue->named = named;
	record->mqueue->inode = of->stat.st_ino;
	record->mqueue->maxmsg = (uint64_t)attr.mq_maxmsg;
	record->mqueue->msgsize = (uint64_t)attr.mq_msgsize;
	record->mqueue->uid = dump_inner_uid(d, of->stat.st_uid);
	record->mqueue->gid = dump_inner_gid(d, of->stat.st_gid);
	return named || !attr.mq_curmsgs || was_drained(d, of) ? 0 : messages_dump(d, of, &attr, record->mqueue);
}

/* inside: it is in an IPC namespace of the tree, where it is found by its name; apart: in another one than that of the
 * root task, whose queues all mounts show afterwards. */
static int dump_name(const struct dump *d, const struct open_file *of, RegFileEntry *record, bool inside, bool apart)
{
	AUTO(mount_stay_end) struct mount_stay stay = MOUNT_STAY_NOWHERE;
	const char *mountpoint;
	struct stat st;
	int id = -1;

	record->name = pool_string(d->pool, of->link);
	if (of->stat.st_nlink == 0) {
		if (text_ends(of->link, " (deleted)"))
			record->name[strlen(record->name) - strlen(" (deleted)")] = 0;
		return dump_attributes(d, of, record);
	}
	TRY(find_mount(d, of, &mountpoint, &id));
	if (!mountpoint || apart || (inside && !text_starts(of->link, mountpoint)))
		return dump_attributes(d, of, record);
	if (!text_starts(of->link, mountpoint)) /* not opened by path */
		record->name = pool_printf(d->pool, "%s%s", mountpoint, of->link);
	record->has_mnt_id = mount_dump_id(d, id) > 0;
	record->mnt_id = record->has_mnt_id ? id : -1;
	TRY(mount_stay_begin(mount_dump_root(d, of->task), &stay));
	if (stat(record->name, &st) < 0 || st.st_ino != of->stat.st_ino || st.st_dev != of->stat.st_dev)
		return refuse(EOPNOTSUPP, "%s does not lead to this message queue", record->name);
	return 0;
}

static int dump_mqueue(const struct dump *d, const struct open_file *of, FileEntry *out)
{
	RegFileEntry *record = out->reg;

	struct namespace *root;
	uint32_t space = 0;

	if (dump_namespaces(d)->any)
		TRY(find_space(d, of, &space));
	(void)namespace_of_root(dump_namespaces(d), d->tree, CLONE_NEWIPC, &root);
	TRY(dump_name(d, of, record, space, space && (!root || root->id != space)));
	if (record->mqueue && space) {
		record->mqueue->has_ipc_ns = true;
		record->mqueue->ipc_ns = space;
	}
	tell_notification(d, of);
	record->id = of->id;
	record->flags = of->flags;
	record->fown = of->owner;
	record->has_mode = true;
	record->mode = of->stat.st_mode;
	return 0;
}

/* --- restore --- */

/* The records of queues that are opened by their path are read by the regular kind. */
static bool claims_queue(const FileEntry *entry)
{
	return entry->reg->mqueue != NULL;
}

/* A queue without a name, kept until all files are open. */
struct unlinked {
	struct unlinked *next;
	uint64_t inode;
	int fd;
	bool given;		 /* the opening that made it is a file of a task */
	const MqueueEntry *full; /* the record with the messages, or NULL */
};

static void close_unlinked(void *state)
{
	for (struct unlinked *queue = *(struct unlinked **)state; queue; queue = queue->next)
		if (queue->fd >= 0)
			close(TAKE_FD(queue->fd));
}

static const struct state_type unlinked_state = { sizeof(struct unlinked *), close_unlinked };

static struct unlinked *get_queue(const struct restore *r, const MqueueEntry *record)
{
	struct unlinked **all = state_get(r->states, &unlinked_state), *queue;

	for (queue = *all; queue; queue = queue->next)
		if (queue->inode == record->inode)
			return queue;
	queue = pool_new(r->pool, struct unlinked);
	*queue = (struct unlinked){ *all, record->inode, -1, false, NULL };
	*all = queue;
	return queue;
}

static int load_mqueue(const struct restore *r, struct file *f)
{
	const MqueueEntry *record = f->entry->reg->mqueue;

	if (f->entry->reg->name[0] != '/' || record->maxmsg > INT32_MAX || record->msgsize > INT32_MAX)
		return refuse(EINVAL, "files.img: the record of a message queue makes no sense");
	if (record->n_messages)
		get_queue(r, record)->full = record;
	return 0;
}

struct opening {
	const RegFileEntry *record;
	int fd;
	int (*open)(struct opening *opening);
};

static int open_there(void *arg)
{
	struct opening *opening = arg;

	return opening->open(opening);
}

/* In the IPC namespace that the queue belongs to. */
static int open_inside(struct restore *r, const RegFileEntry *record, int (*open_it)(struct opening *opening),
		       int *ret_fd)
{
	struct opening opening = { record, -1, open_it };
	struct namespace *ns, *space = NULL;
	int error;

	for_each_namespace(ns, restore_namespaces(r))
		if (ns->kind->flag == CLONE_NEWIPC && record->mqueue->has_ipc_ns && ns->id == record->mqueue->ipc_ns &&
		    !ns->own)
			space = ns;
	error = space ? namespace_run_in(r, space, open_there, &opening) : open_it(&opening);
	*ret_fd = opening.fd;
	return error;
}

/* Under its old name for a moment, or another one if that is taken. */
static int make_queue(struct opening *opening)
{
	const RegFileEntry *record = opening->record;
	int *ret_fd = &opening->fd;
	struct mq_attr attr = { .mq_maxmsg = (long)record->mqueue->maxmsg,
				.mq_msgsize = (long)record->mqueue->msgsize };
	char name[NAME_MAX];

	snprintf(name, sizeof(name), "/%.200s", strrchr(record->name, '/') + 1);
	*ret_fd = mq_open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600, &attr);
	if (*ret_fd < 0 && errno == EEXIST) {
		snprintf(name, sizeof(name), "/%.200s.%d", strrchr(record->name, '/') + 1, getpid());
		*ret_fd = mq_open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600, &attr);
	}
	if (*ret_fd < 0)
		return fail_errno("making message queue %s (see /proc/sys/fs/mqueue for the limits)", name);
	if (mq_unlink(name) < 0)
		return fail_errno("unlinking message queue %s again", name);
	return 0;
}

static int find_queue(struct restore *r, const RegFileEntry *record, struct unlinked **ret)
{
	struct unlinked *queue = *ret = get_queue(r, record->mqueue);

	if (queue->fd >= 0)
		return 0;
	TRY(open_inside(r, record, make_queue, &queue->fd));
	if (fchown(queue->fd, restore_outer_uid(r, record->mqueue->uid), restore_outer_gid(r, record->mqueue->gid)) <
		    0 ||
	    fchmod(queue->fd, record->mode & 07777) < 0)
		return fail_errno("setting owner and mode of a message queue");
	for (size_t i = 0; queue->full && i < queue->full->n_messages; i++) {
		const MqueueMessage *message = queue->full->messages[i];

		if (mq_send(queue->fd, (const char *)message->text.data, message->text.len, message->priority) < 0)
			return fail_errno("putting message %zu into a message queue", i);
	}
	return 0;
}

/* mq_open(3) never sets O_LARGEFILE, open(2) always does: the opening that made the queue stands for one that lacks it.
 */
static int open_unlinked(struct restore *r, const RegFileEntry *record, int *ret_fd)
{
	struct unlinked *queue;
	char path[32];
	bool give;

	TRY(find_queue(r, record, &queue));
	give = !queue->given && (record->flags & (O_ACCMODE | KERNEL_LARGEFILE)) == O_RDWR;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", queue->fd);
	*ret_fd = open(path, (give ? O_RDWR : (int)(record->flags & O_ACCMODE)) | O_CLOEXEC);
	if (*ret_fd < 0)
		return fail_errno("opening a message queue");
	if (give) {
		int made = queue->fd;

		queue->given = true;
		queue->fd = *ret_fd;
		*ret_fd = made;
	}
	return 0;
}

static int open_named(struct opening *opening)
{
	const RegFileEntry *record = opening->record;

	opening->fd = mq_open(strrchr(record->name, '/'), (int)(record->flags & O_ACCMODE) | O_CLOEXEC);
	return opening->fd < 0 ? fail_errno("opening message queue %s: is it gone?", strrchr(record->name, '/')) : 0;
}

static int create_mqueue(struct restore *r, struct file *f)
{
	const RegFileEntry *record = f->entry->reg;
	AUTO_CLOSE int fd = -1;

	if (record->mqueue->named) {
		TRY(open_inside(r, record, open_named, &fd));
		TRY(file_apply_flags(fd, record->flags, record->fown));
		f->fd = TAKE_FD(fd);
		return 0;
	}
	TRY(open_unlinked(r, record, &fd));
	TRY(file_apply_flags(fd, record->flags, record->fown));
	f->fd = TAKE_FD(fd);
	return 0;
}

static int clean_mqueues(struct restore *r)
{
	state_destroy(r->states, &unlinked_state);
	return 0;
}

const struct file_kind mqueue_kind = {
	.name = "mqueue",
	.type = FD_TYPES__REG,
	.entry = offsetof(FileEntry, reg),
	.fs_magic = MQUEUE_MAGIC,
	.is = is_queue,
	.claims = claims_queue,
	.dump = dump_mqueue,
	.load = load_mqueue,
	.create = create_mqueue,
	.clean = clean_mqueues,
};
