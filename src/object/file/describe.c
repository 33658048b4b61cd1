/* SPDX-License-Identifier: GPL-2.0-only */
/* Dump: what fstat(2), fcntl(2) and fdinfo tell of an open file, by as few calls as can be. */
#include "object/file/describe.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/array.h"
#include "base/auto.h"
#include "base/fail.h"
#include "kern/proc/locks.h"
#include "object/file/file-dump.h"
#include "object/file/file-state.h"
#include "object/mount/mount.h"
#include "object/namespace/namespace.h"
#include "plan/plan.h"

static dev_t device_of(int fd)
{
	struct stat st;

	return fd >= 0 && fstat(fd, &st) == 0 ? st.st_dev : 0;
}

/* One look at files of ours spares many at theirs. */
void file_learn_devices(struct file_dump *files)
{
	AUTO_CLOSE int first = -1, second = -1;
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) == 0) {
		files->pipe_dev = device_of(ends[0]);
		close(ends[0]);
		close(ends[1]);
	}
	first = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	files->socket_dev = device_of(first);
	second = eventfd(0, EFD_CLOEXEC);
	files->anon_dev = device_of(second);
}

/*
 * fdinfo shows O_CLOEXEC also when it is, by mistake, among the flags of the file (terminals opened by TIOCGPTPEER).
 * Then nobody tells about the descriptor; the standard ones are meant to be passed on.
 */
static bool has_odd_flag(const struct open_file *of)
{
	return of->task_fd <= STDERR_FILENO && !of->is_name && fcntl(of->fd, F_GETFL) & O_CLOEXEC;
}

/* The directory /proc/PID of a process that is gone tells nothing about itself any more. */
static int describe_dead(struct open_file *of, const struct fdinfo *info)
{
	struct statfs fs;
	uint64_t ino;

	if (fstatfs(of->fd, &fs) < 0 || fs.f_type != PROC_SUPER_MAGIC)
		return fail(ENOENT, "looking at the file (fstat)");
	TRY(fdinfo_get_u64(info, "ino", 10, &ino));
	of->stat = (struct stat){ .st_mode = S_IFDIR | 0555, .st_ino = ino, .st_nlink = 1 };
	return 0;
}

int file_read_system(const struct dump *d, struct open_file *of)
{
	struct file_dump *files = file_dump_of(d);
	socklen_t size = sizeof(of->domain);
	struct statfs fs;

	if (S_ISFIFO(of->stat.st_mode) && files->pipe_dev == of->stat.st_dev) {
		of->fs_magic = PIPEFS_MAGIC;
		return 0;
	}
	if (S_ISSOCK(of->stat.st_mode) && !(of->flags & O_PATH)) {
		of->fs_magic = SOCKFS_MAGIC;
		of->domain = of->facts ? of->facts->family : 0;
		if (of->domain)
			return 0;
		return getsockopt(of->fd, SOL_SOCKET, SO_DOMAIN, &of->domain, &size) < 0
			       ? fail_errno("asking for the family of the socket")
			       : 0;
	}
	if (!(of->stat.st_mode & S_IFMT) && files->anon_dev == of->stat.st_dev) {
		of->fs_magic = ANON_INODE_FS_MAGIC;
		return 0;
	}
	if (mount_dump_is_served(d, of->stat.st_dev)) {
		of->fs_magic = FUSE_SUPER_MAGIC;
		of->served = true;
		return 0;
	}
	if (files->last_magic && files->last_dev == of->stat.st_dev) {
		of->fs_magic = files->last_magic;
		return 0;
	}
	if (fstatfs(of->fd, &fs) < 0)
		return fail_errno("asking for the file system");
	files->last_dev = of->stat.st_dev;
	files->last_magic = of->fs_magic = fs.f_type;
	return 0;
}

/* --- locks --- */

#define QUESTIONS_MAX 128

/*
 * flock(2) and fcntl(2) lock any file. /proc/locks shows all but those of processes that are out of sight, or have
 * ended in a pid namespace; nobody locks a file of these sorts by that, as it has no name to meet at.
 */
static bool has_odd_locks(struct file_dump *files)
{
	AUTO(proc_locks_done) struct proc_locks locks = { 0 };

	/* To read it the kernel waits for a grace period of RCU: 10 ms and more, in which each can be asked itself. */
	if (files->lock_questions++ < QUESTIONS_MAX)
		return true;
	if (files->lock_questions > QUESTIONS_MAX + 1)
		return files->has_odd_locks;
	files->has_odd_locks = proc_locks_read(&locks) < 0;
	for (size_t i = 0; i < locks.n; i++) {
		const dev_t dev = locks.items[i].dev;

		files->has_odd_locks |= dev == files->pipe_dev || dev == files->socket_dev || dev == files->anon_dev;
	}
	return files->has_odd_locks;
}

/* The kernel itself keeps the locks of these, so that it answers at once. */
static bool keeps_own_locks(const struct dump *d, struct open_file *of)
{
	static const long magics[] = { EXT4_SUPER_MAGIC,      XFS_SUPER_MAGIC,	BTRFS_SUPER_MAGIC, TMPFS_MAGIC,
				       OVERLAYFS_SUPER_MAGIC, PROC_SUPER_MAGIC, DEVPTS_SUPER_MAGIC };

	if (file_read_system(d, of) < 0)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(magics); i++)
		if (of->fs_magic == magics[i])
			return true;
	return false;
}

/*
 * POSIX locks belong to a table of descriptors: they do not show at our copy. But they are in the way of one that we
 * might set.
 */
static bool may_have_posix_locks(const struct dump *d, struct open_file *of)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	if (!(of->stat.st_mode & S_IFMT) && of->stat.st_dev == file_dump_of(d)->anon_dev)
		return has_odd_locks(file_dump_of(d));
	return !keeps_own_locks(d, of) || fcntl(of->fd, F_GETLK, &lock) < 0 || lock.l_type != F_UNLCK;
}

/* --- */

static bool is_plain(const struct file_dump *files, mode_t mode, dev_t dev)
{
	return (S_ISSOCK(mode) && dev == files->socket_dev) || (S_ISFIFO(mode) && dev == files->pipe_dev);
}

static bool is_told(struct file_dump *files, const struct open_file *of)
{
	return of->told && of->facts && is_plain(files, of->facts->mode, of->facts->dev) && !has_odd_locks(files);
}

static bool is_told_by_kind(const struct dump *d, const struct open_file *of)
{
	/* The copy is the way to the network namespace of a socket. */
	if (S_ISSOCK(of->facts->mode) && dump_namespaces(d)->any)
		return false;
	for (unsigned i = 0; file_kinds[i]; i++)
		if (file_kinds[i]->is_told && file_kinds[i]->is_told(d, of))
			return true;
	return false;
}

bool file_needs_no_copy(const struct dump *d, const struct open_file *of)
{
	const struct file_facts *facts = of->facts;

	if (!is_told(file_dump_of(d), of) || !facts->has_no_owner || facts->flags & O_PATH)
		return false;
	return is_told_by_kind(d, of);
}

/* No call is needed for pipes and sockets of which the kernel has told already. */
static bool describe_told(struct file_dump *files, struct open_file *of, struct fdinfo *info)
{
	const struct file_facts *facts = of->facts;

	if (!is_told(files, of))
		return false;
	of->stat = (struct stat){
		.st_dev = facts->dev,
		.st_ino = facts->ino,
		.st_mode = facts->mode,
		.st_nlink = 1,
		.st_uid = facts->uid,
		.st_gid = facts->gid,
	};
	of->flags = facts->flags & ~(uint32_t)O_CLOEXEC;
	of->cloexec = of->told & FD_FLAG_CLOEXEC;
	of->fdinfo = info;
	info->n = 0;
	return true;
}

/* What is always the same in fdinfo, pipes and sockets. */
static int describe_plain(struct open_file *of, struct fdinfo *info)
{
	int status = fcntl(of->fd, F_GETFL);

	if (status < 0)
		return fail_errno("reading the flags of the file");
	info->n = 0;
	of->flags = (uint32_t)status & ~(uint32_t)O_CLOEXEC;
	return 0;
}

/* That of a descriptor of ours takes a tenth of the time of one in a task, for which the kernel makes an inode. */
static int read_fdinfo(const struct dump *d, struct open_file *of, struct fdinfo *info)
{
	if (of->told && !may_have_posix_locks(d, of))
		return fdinfo_read_own(info, of->fd);
	return fdinfo_read(info, of->task_fd >= 0 ? of->task_fd : of->fd);
}

/* Without asking whoever serves it: he stands still. */
static int look_calmly(int fd, struct stat *to)
{
	struct statx st;

	if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_BASIC_STATS, &st) < 0)
		return -1;
	*to = (struct stat){ .st_dev = makedev(st.stx_dev_major, st.stx_dev_minor),
			     .st_ino = st.stx_ino,
			     .st_mode = st.stx_mode,
			     .st_nlink = st.stx_nlink,
			     .st_uid = st.stx_uid,
			     .st_gid = st.stx_gid,
			     .st_rdev = makedev(st.stx_rdev_major, st.stx_rdev_minor),
			     .st_size = (off_t)st.stx_size,
			     .st_blksize = st.stx_blksize,
			     .st_blocks = (blkcnt_t)st.stx_blocks,
			     .st_mtim = { st.stx_mtime.tv_sec, st.stx_mtime.tv_nsec },
			     .st_ctim = { st.stx_ctime.tv_sec, st.stx_ctime.tv_nsec } };
	return 0;
}

int file_look(const struct dump *d, int fd, struct stat *ret)
{
	return mount_dump_serves(d) ? look_calmly(fd, ret) : fstat(fd, ret);
}

int file_describe(const struct dump *d, struct open_file *of, struct fdinfo *info)
{
	struct file_dump *files = file_dump_of(d);
	uint64_t flags, mnt_id;
	int64_t pos;
	int known;

	if (describe_told(files, of, info))
		return 0;
	known = file_look(d, of->fd, &of->stat);
	if (known < 0 && errno != ENOENT)
		return fail_errno("looking at the file (fstat)");
	of->fdinfo = info;
	of->cloexec = of->told & FD_FLAG_CLOEXEC;
	if (of->told && known == 0 && is_plain(files, of->stat.st_mode, of->stat.st_dev) && !has_odd_locks(files))
		return describe_plain(of, info);
	TRY(read_fdinfo(d, of, info));
	if (known < 0)
		TRY(describe_dead(of, info));
	TRY(fdinfo_get_s64(info, "pos", &pos));
	TRY(fdinfo_get_u64(info, "flags", 8, &flags));
	TRY(fdinfo_get_u64(info, "mnt_id", 10, &mnt_id));
	of->flags = (uint32_t)flags & ~(uint32_t)O_CLOEXEC;
	if (!of->told)
		of->cloexec = flags & O_CLOEXEC && !has_odd_flag(of);
	of->pos = (uint64_t)pos;
	of->mnt_id = (int)mnt_id;
	return 0;
}

int file_read_again(const struct dump *d, const struct open_file *of)
{
	struct open_file again = *of;

	return read_fdinfo(d, &again, of->fdinfo);
}

/* The same for a descriptor of our own. */
int file_describe_own(const struct dump *d, struct open_file *of, struct fdinfo *info)
{
	AUTO_CLOSE int proc = open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (proc < 0)
		return fail_errno("opening /proc/self");
	TRY(fdinfo_open(info, proc));
	return file_describe(d, of, info);
}
