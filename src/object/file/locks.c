/* SPDX-License-Identifier: GPL-2.0-only */
/* File locks (--file-locks). The task that had them sets them again, through the same descriptor. */
#include "object/file/locks.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/file.h"
#include "base/log.h"
#include "base/table.h"
#include "file-lock.pb-c.h"
#include "image/image.h"
#include "image/record.h"
#include "kern/proc/locks.h"
#include "object/file/deleted/deleted.h"
#include "object/file/file-state.h"
#include "object/file/file-dump.h"
#include "object/file/file-restore.h"
#include "plan/plan.h"
#include "session/copy.h"

/* The numbers of the image format. */
enum { LOCK_POSIX_BIT = 1, LOCK_FLOCK_BIT = 2, LOCK_OFD_BIT = 4, LOCK_LEASE_BIT = 8 };

static int name_of_kind(const struct proc_lock *lock, uint32_t *ret)
{
	switch (lock->kind) {
	case PROC_LOCK_POSIX:
		*ret = LOCK_POSIX_BIT;
		return 0;
	case PROC_LOCK_FLOCK:
		*ret = LOCK_FLOCK_BIT;
		return 0;
	case PROC_LOCK_OFD:
		*ret = LOCK_OFD_BIT;
		return 0;
	case PROC_LOCK_LEASE:
		*ret = LOCK_LEASE_BIT;
		return 0;
	default:
		return refuse(EOPNOTSUPP, "a lock of an unknown kind is on this file");
	}
}

/*
 * A POSIX lock belongs to the descriptor table and shows at every descriptor of the inode; all others belong to the
 * open file and show at every descriptor of it.
 */
static bool was_seen(const struct dump *d, const struct open_file *of, const struct proc_lock *lock, bool is_new)
{
	uint64_t place = of->stat.st_ino * 0x9e3779b97f4a7c15u + of->stat.st_dev;

	if (lock->kind != PROC_LOCK_POSIX)
		return !is_new;
	return table_set2(file_dump_of(d)->locks_seen, (uint64_t)of->task->ids->files_id << 32 ^ place, lock->start,
			  d->pool) != NULL;
}

/* Somebody opens the file in a way that the lease does not allow. With O_NONBLOCK he does not wait for the holder. */
static int open_against(int fd, int access)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, access | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

/*
 * Of a lease that is being broken the kernel tells what it must become, not what it is. Only a write lease keeps
 * readers out; it tells its holder nothing more (fs/locks.c, __break_lease()).
 */
static uint32_t type_of_broken(const struct open_file *of, const struct proc_lock *lock)
{
	AUTO_CLOSE int reader = -1;

	if (lock->type == F_RDLCK || (of->flags & O_ACCMODE) != O_RDONLY) /* a read lease has no writers */
		return F_WRLCK;
	reader = open_against(of->fd, O_RDONLY);
	return reader < 0 && errno == EWOULDBLOCK ? F_WRLCK : F_RDLCK;
}

/* A descriptor of a file that was seen already has none. */
static const char *name_of_file(const struct open_file *of, char text[PATH_MAX])
{
	char path[32];

	if (of->link)
		return of->link;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", of->fd);
	return file_readlink(AT_FDCWD, path, text, PATH_MAX) < 0 ? "a file" : text;
}

static int dump_lock(const struct dump *d, const struct open_file *of, const struct proc_lock *lock, bool is_new)
{
	char name[PATH_MAX];
	FileLockEntry *record;

	if (lock->waiting || was_seen(d, of, lock, is_new))
		return 0;
	record = pool_new(d->pool, FileLockEntry);
	file_lock_entry__init(record);
	TRY(name_of_kind(lock, &record->flag));
	if (!d->options->file_locks)
		return refuse(EOPNOTSUPP,
			      "it holds a lock of %s: --file-locks (-l) saves it. Make sure that nobody outside of the "
			      "tree needs the lock in the meantime",
			      name_of_file(of, name));
	record->type = lock->breaking ? type_of_broken(of, lock) : (uint32_t)lock->type;
	record->has_breaking = lock->breaking;
	record->breaking = lock->breaking ? (uint32_t)lock->type : 0;
	record->pid = of->task->vpid;
	record->fd = of->task_fd;
	record->start = (int64_t)lock->start;
	record->len = lock->end == PROC_LOCK_EOF ? 0 : (int64_t)(lock->end - lock->start + 1);
	*vector_push(&file_dump_of(d)->locks) = record;
	return 0;
}

int locks_dump(const struct dump *d, const struct open_file *of, bool is_new)
{
	const char *value;
	size_t at = 0;

	while ((value = fdinfo_next(of->fdinfo, "lock", &at))) {
		struct proc_lock lock;

		if (proc_lock_parse(value, &lock) < 0)
			return refuse(EINVAL, "fdinfo shows a lock that cannot be understood: \"%s\"", value);
		TRY(dump_lock(d, of, &lock, is_new));
	}
	return 0;
}

int locks_write(struct dump *d)
{
	const struct file_dump *files = file_dump_of(d);
	AUTO(image_close) struct image *image = NULL;

	if (!files->locks.n)
		return 0;
	TRY(image_create(dump_store(d), &image, IMAGE_FILELOCKS));
	for (size_t i = 0; i < files->locks.n; i++)
		TRY(image_write(image, files->locks.items[i]));
	return image_finish(&image);
}

/* --- restore --- */

static int check_lock(const struct restore *r, struct image *image, const FileLockEntry *record)
{
	const struct task *task = task_tree_find(r->tree, record->pid);
	bool flock_raw = record->flag == LOCK_FLOCK_BIT && record->type & LOCK_MAND;

	if (!task || !task_is_live(task))
		return image_refuse(image, "there is no task %d", record->pid);
	if (record->fd < 0 || !file_at_number(r, task, (uint32_t)record->fd))
		return image_refuse(image, "task %d has no descriptor %d", record->pid, record->fd);
	if (record->type > F_UNLCK && !flock_raw)
		return image_refuse(image, "a lock of type %u is unknown", record->type);
	if (record->flag != LOCK_POSIX_BIT && record->flag != LOCK_FLOCK_BIT && record->flag != LOCK_OFD_BIT &&
	    record->flag != LOCK_LEASE_BIT)
		return image_refuse(image, "a lock of kind %u is unknown", record->flag);
	if (record->has_breaking && (record->flag != LOCK_LEASE_BIT || record->breaking == record->type ||
				     (record->breaking != F_RDLCK && record->breaking != F_UNLCK)))
		return image_refuse(image, "a lease of type %u cannot become %u", record->type, record->breaking);
	return 0;
}

static struct file *file_of(const struct restore *r, const FileLockEntry *record)
{
	return file_at_number(r, task_tree_find(r->tree, record->pid), (uint32_t)record->fd);
}

int locks_load(const struct restore *r)
{
	AUTO(image_close) struct image *image = NULL;
	FileLockEntry *record;
	int more = image_open(r->store, &image, IMAGE_FILELOCKS);

	if (more == -ENOENT)
		return 0;
	TRY(more);
	while ((more = image_read(image, &record)) > 0) {
		TRY(check_lock(r, image, record));
		if (record->has_breaking)
			file_of(r, record)->users++;
		*vector_push(&file_set_of(r)->locks) = record;
	}
	return more;
}

/* Only readers may lock together. What is unlinked each copy has for itself, and other paths may be, too. */
static bool is_in_the_way(const struct restore *r, const FileLockEntry *record)
{
	const struct file *f = file_of(r, record);
	const RegFileEntry *path = f->entry->reg, *link;

	if (record->type == F_RDLCK || !path)
		return false;
	return deleted_find_link(r, path, &link) <= 0 && !copies_differ_in(path->name);
}

int locks_check_copies(const struct restore *r)
{
	for (size_t i = 0; i < file_set_of(r)->locks.n; i++) {
		const FileLockEntry *record = file_set_of(r)->locks.items[i];

		if (is_in_the_way(r, record))
			return refuse(
				EOPNOTSUPP,
				"task %d has a lock on %s (descriptor %d): only one copy could have it; give each "
				"its own file by --map-path OLD=NEW-%%k",
				record->pid, file_of(r, record)->entry->reg->name, record->fd);
	}
	return 0;
}

static int flock_operation(const FileLockEntry *record)
{
	if (record->type & LOCK_MAND)
		return (int)record->type | LOCK_NB;
	return (record->type == F_RDLCK ? LOCK_SH : record->type == F_WRLCK ? LOCK_EX : LOCK_UN) | LOCK_NB;
}

static void plan_lock(const FileLockEntry *record, struct plan *p)
{
	struct flock lock = {
		.l_type = (short)record->type, .l_whence = SEEK_SET, .l_start = record->start, .l_len = record->len
	};
	const char *why = plan_why(p, "lock descriptor %d again (is the lock taken by somebody else now?)", record->fd);

	if (record->flag == LOCK_FLOCK_BIT) {
		plan_syscall(p, why, __NR_flock, V(record->fd), V(flock_operation(record)));
		return;
	}
	if (record->flag == LOCK_LEASE_BIT) {
		plan_syscall(p, why, __NR_fcntl, V(record->fd), V(F_SETLEASE), V(record->type));
		return;
	}
	plan_syscall(p, why, __NR_fcntl, V(record->fd), V(record->flag == LOCK_POSIX_BIT ? F_SETLK : F_OFD_SETLK),
		     D(plan_data(p, &lock, sizeof(lock))));
}

/* The holder was told already that its lease is being broken: the kernel tells a process that is dead. */
static int own_by_nobody(int fd)
{
	pid_t pid = fork();
	int result;

	if (pid == 0)
		_exit(0);
	if (pid < 0)
		return fail_errno("making a process that ends");
	result = fcntl(fd, F_SETOWN, pid) < 0 ? fail_errno("setting a signal owner") : 0;
	if (waitpid(pid, NULL, 0) < 0)
		return fail_errno("waiting for a process that ends");
	return result;
}

int locks_plan(struct restore *r, struct task *task, bool last, struct plan *p)
{
	int fd;

	for (size_t i = 0; i < file_set_of(r)->locks.n; i++) {
		const FileLockEntry *record = file_set_of(r)->locks.items[i];

		if (record->pid != task->vpid || (record->flag == LOCK_POSIX_BIT) != last)
			continue;
		if (record->has_breaking) {
			TRY(file_get_fd(r, file_of(r, record), &fd));
			TRY(own_by_nobody(fd));
		}
		plan_lock(record, p);
	}
	return 0;
}

static int break_lease(struct restore *r, const FileLockEntry *record)
{
	AUTO_CLOSE int other = -1;
	int fd;

	LOG_SCOPE("task %d: descriptor %d", record->pid, record->fd);
	TRY(file_get_fd(r, file_of(r, record), &fd));
	other = open_against(fd, record->breaking == F_RDLCK ? O_RDONLY : O_WRONLY);
	if (other >= 0 || errno != EWOULDBLOCK)
		return fail(other >= 0 ? EINVAL : errno, "breaking its lease again");
	file_put(r, file_of(r, record));
	return 0;
}

int locks_settle(struct restore *r)
{
	for (size_t i = 0; i < file_set_of(r)->locks.n; i++)
		if (file_set_of(r)->locks.items[i]->has_breaking)
			TRY(break_lease(r, file_set_of(r)->locks.items[i]));
	return 0;
}
