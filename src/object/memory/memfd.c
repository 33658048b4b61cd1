/* SPDX-License-Identifier: GPL-2.0-only */
/* memfd_create(2), and the file behind an anonymous shared mapping, which is the same to the kernel but for its name.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/log.h"
#include "base/table.h"
#include "base/text.h"
#include "image/image.h"
#include "image/record.h"
#include "kern/syscalls.h"
#include "memfd.pb-c.h"
#include "object/file/file.h"
#include "object/memory/memory.h"
#include "object/memory/shared.h"
#include "session/given.h"
#include "session/ids.h"
#include "session/needs.h"

static const char deleted[] = " (deleted)";

/* Names of the files of MAP_SHARED | MAP_ANONYMOUS; of the second there are hugetlb pages in it. */
static bool is_anonymous(const char *name)
{
	return strcmp(name, "/dev/zero") == 0 || strcmp(name, "/anon_hugepage") == 0;
}

/* --- dump --- */

/* Somebody may have a tmpfs as root and a file /memfd:x there: only the kernel's own mounts have no path. */
static bool is_memfd(const struct open_file *of)
{
	if (of->fs_magic != TMPFS_MAGIC && of->fs_magic != HUGETLBFS_MAGIC)
		return false;
	return of->stat.st_nlink == 0 && text_ends(of->link, deleted) &&
	       (text_starts(of->link, "/memfd:") || strcmp(of->link, "/dev/zero (deleted)") == 0 ||
		strcmp(of->link, "/anon_hugepage (deleted)") == 0);
}

static int dump_memfd(const struct dump *d, const struct open_file *of, FileEntry *out)
{
	const char *name = text_after(of->link, "/memfd:");
	MemfdFileEntry *record = out->memfd;

	if (!name)
		name = of->link;
	name = pool_printf(d->pool, "%.*s", (int)(strlen(name) - strlen(deleted)), name);
	record->id = of->id;
	record->flags = of->flags;
	record->pos = of->pos;
	record->fown = of->owner;
	return memory_dump_object(d, of->fd, &of->stat, name, &record->inode_id);
}

/* --- restore --- */

/* One object, however many files are open on it. */
struct memfd {
	const MemfdInodeEntry *record;
	int fd;	    /* -1 until it is made; kept to the end for the seals */
	bool given; /* by the user, as it is */
	bool taken; /* fd itself is a descriptor of the program */
	struct memfd *next;
};

struct memfd_set {
	struct table *by_id; /* inode_id → struct memfd */
	struct memfd *all;
};

static void destroy_set(void *state)
{
	struct memfd_set *set = state;

	for (struct memfd *memfd = set->all; memfd; memfd = memfd->next)
		if (memfd->fd >= 0)
			close(TAKE_FD(memfd->fd));
	table_destroy(&set->by_id);
}

static const struct state_type memfd_set_state = { sizeof(struct memfd_set), destroy_set };

static struct memfd_set *set_of(const struct restore *r)
{
	return state_find(r->states, &memfd_set_state);
}

static int prepare_memfds(const struct restore *r)
{
	struct memfd_set *set = state_make(r->states, &memfd_set_state);
	AUTO(image_close) struct image *image = NULL;
	MemfdInodeEntry *record;
	int more = image_open(r->store, &image, IMAGE_MEMFD_INODE);

	set->by_id = table_create();
	if (more == -ENOENT)
		return 0;
	TRY(more);
	while ((more = image_read(image, &record)) > 0) {
		struct memfd *memfd = pool_new(r->pool, struct memfd);

		*memfd = (struct memfd){ .record = record, .fd = -1, .next = set->all };
		set->all = memfd;
		if (record->size > INT64_MAX)
			return image_refuse(image, "the size makes no sense");
		if (table_set(set->by_id, record->inode_id, memfd))
			return image_refuse(image, "the id %" PRIu64 " is there twice", record->inode_id);
		TRY(memory_load_object(r, record->shmid, record->size));
	}
	return more;
}

bool memory_has_memfd(const struct restore *r, const char *name)
{
	const struct memfd_set *set = set_of(r);

	for (const struct memfd *memfd = set ? set->all : NULL; memfd; memfd = memfd->next)
		if (!strcmp(memfd->record->name, name))
			return true;
	return false;
}

static int load_memfd(const struct restore *r, struct file *f)
{
	const struct memfd *memfd = f->data = table_find(set_of(r)->by_id, f->entry->memfd->inode_id);

	if (!memfd)
		return refuse(EINVAL, "memfd.img has no object %u", f->entry->memfd->inode_id);
	return memfd->record->seals & F_SEAL_EXEC ? need_kernel(r, FEATURE_ID_memfd_exec_seal) : 0;
}

/* The mapping itself names the file. Opening that needs a privilege; without it the name will be "/memfd:/dev/zero". */
static int make_anonymous(const MemfdInodeEntry *record)
{
	int flags = MAP_SHARED | MAP_ANONYMOUS |
		    (record->has_hugetlb_flag && record->hugetlb_flag
			     ? MAP_HUGETLB | (int)(record->hugetlb_flag & ((unsigned)MAP_HUGE_MASK << MAP_HUGE_SHIFT))
			     : 0);
	void *memory = mmap(NULL, record->size, PROT_READ | PROT_WRITE, flags, -1, 0);
	char path[64];
	int fd;

	if (memory == MAP_FAILED)
		return -errno;
	snprintf(path, sizeof(path), "/proc/self/map_files/%lx-%lx", (unsigned long)memory,
		 (unsigned long)memory + (unsigned long)record->size);
	fd = open(path, O_RDWR | O_CLOEXEC);
	fd = fd < 0 ? -errno : fd;
	munmap(memory, record->size);
	return fd;
}

static int make_memfd(const MemfdInodeEntry *record)
{
	unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING | (record->has_hugetlb_flag ? record->hugetlb_flag : 0);
	int fd = -1;

	/* Saying so spares a warning of the kernel; older ones do not know the flag. */
	if (!record->has_mode || record->mode & 0111)
		fd = memfd_create(record->name, flags | MFD_EXEC);
	return fd >= 0 ? fd : memfd_create(record->name, flags);
}

static int set_inode(int fd, const MemfdInodeEntry *record)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	inode_set_xattrs(path, record->xattrs, record->n_xattrs);
	inode_set_write_hint(fd, record->write_hint);
	if (record->n_times == 4) {
		const struct timespec times[] = { { record->times[0], record->times[1] },
						  { record->times[2], record->times[3] } };

		if (futimens(fd, times) < 0)
			return fail_errno("cannot set its times");
	}
	return 0;
}

static int set_attributes(const struct restore *r, int fd, const MemfdInodeEntry *record)
{
	uid_t uid = restore_outer_uid(r, record->uid);
	gid_t gid = restore_outer_gid(r, record->gid);
	struct stat stat;

	if (fstat(fd, &stat) < 0)
		return fail_errno("looking at the memfd (fstat)");
	if ((stat.st_uid != uid || stat.st_gid != gid) && fchown(fd, uid, gid) < 0)
		return fail_errno("cannot give it to %u:%u", record->uid, record->gid);
	if (record->has_mode && (stat.st_mode & 07777) != (record->mode & 07777) &&
	    fchmod(fd, record->mode & 07777) < 0)
		return fail_errno("cannot set its mode to 0%o", record->mode & 07777);
	return set_inode(fd, record);
}

/* These leave mappings that exist alone but forbid new ones: set when all mappings are there. */
static bool seals_late(const MemfdInodeEntry *record)
{
	return record->seals & F_SEAL_FUTURE_WRITE && !(record->seals & F_SEAL_WRITE);
}

static int add_seals(int fd, const MemfdInodeEntry *record)
{
	if (!record->seals || is_anonymous(record->name) || fcntl(fd, F_ADD_SEALS, record->seals) == 0)
		return 0;
	return fail_errno("cannot add the seals 0x%x", record->seals);
}

/* --inherit-fd fd[N]:/memfd:NAME */
static int find_inherited(struct restore *r, struct memfd *memfd)
{
	AUTO_FREE char *key = xprintf("/memfd:%s", memfd->record->name);
	int result = is_anonymous(memfd->record->name) ? -ENOENT : given_descriptor(r, key, &memfd->fd);

	memfd->given = result == 0;
	return result;
}

static int make_object(struct restore *r, struct memfd *memfd)
{
	const MemfdInodeEntry *record = memfd->record;
	AUTO_CLOSE int fd = -1;
	int inherited;

	if (memfd->fd >= 0)
		return 0;
	LOG_SCOPE("memfd %s", record->name);
	inherited = find_inherited(r, memfd);
	if (inherited != -ENOENT)
		return inherited;
	if (is_anonymous(record->name) && record->size)
		fd = make_anonymous(record);
	if (fd < 0)
		fd = make_memfd(record);
	if (fd < 0)
		return fail_errno("cannot make it");
	if (ftruncate(fd, (off_t)record->size) < 0)
		return fail_errno("cannot make it %" PRIu64 " bytes long", record->size);
	TRY(memory_fill_object(r, fd, record->shmid, record->size));
	TRY(set_attributes(r, fd, record));
	if (!seals_late(record))
		TRY(add_seals(fd, record));
	memfd->fd = TAKE_FD(fd);
	return 0;
}

/*
 * What memfd_create(2) returns does not count as a writer, so the kernel lets the program in it be run; what is opened
 * by a path does. So it is itself the first that reads and writes, and what such mappings are made of.
 */
static int open_memfd(struct memfd *memfd, uint32_t flags, bool only_mapped)
{
	char path[64];

	if (!memfd->given && (flags & O_ACCMODE) == O_RDWR && (only_mapped || !memfd->taken)) {
		memfd->taken |= !only_mapped;
		return fcntl(memfd->fd, F_DUPFD_CLOEXEC, 3);
	}
	snprintf(path, sizeof(path), "/proc/self/fd/%d", memfd->fd);
	return open(path, (int)(flags & (O_ACCMODE | O_LARGEFILE)) | O_CLOEXEC);
}

static int create_memfd(struct restore *r, struct file *f)
{
	const MemfdFileEntry *record = f->entry->memfd;
	bool only_mapped = !f->owner && memory_is_mapped_writable(r, f->id);
	struct memfd *memfd = f->data;
	AUTO_CLOSE int fd = -1;

	TRY(make_object(r, memfd));
	/* Of a file that is only mapped the record need not tell how. */
	fd = open_memfd(memfd, only_mapped ? record->flags | O_RDWR : record->flags, only_mapped);
	if (fd < 0)
		return fail_errno("cannot open memfd %s again", memfd->record->name);
	if (!only_mapped) {
		TRY(file_apply_flags(fd, record->flags, record->fown));
		if (lseek(fd, (off_t)record->pos, SEEK_SET) < 0)
			return fail_errno("cannot set its position to %" PRIu64, record->pos);
	}
	f->fd = TAKE_FD(fd);
	return 0;
}

static int settle_memfd(struct restore *r, struct file *f)
{
	struct memfd *memfd = f->data;

	if (memfd->fd < 0)
		return 0;
	if (seals_late(memfd->record) && !memfd->given)
		TRY(add_seals(memfd->fd, memfd->record));
	close(TAKE_FD(memfd->fd));
	return 0;
}

static int clean_memfds(struct restore *r)
{
	state_destroy(r->states, &memfd_set_state);
	return 0;
}

const struct file_kind memfd_kind = {
	.name = "memfd",
	.type = FD_TYPES__MEMFD,
	.entry = offsetof(FileEntry, memfd),
	.format = S_IFREG,
	.is = is_memfd,
	.dump = dump_memfd,
	.prepare = prepare_memfds,
	.load = load_memfd,
	.create = create_memfd,
	.settle = settle_memfd,
	.clean = clean_memfds,
};
