/* SPDX-License-Identifier: GPL-2.0-only */
/* System V shared memory of a namespace: its content is an object of object/memory, whether somebody has attached it or
 * not. */
#include "object/ipc/shm.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <stdio.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/page.h"
#include "image/record.h"
#include "kern/proc/maps.h"
#include "object/memory/memory.h"
#include "object/ipc/ipc.h"
#include "object/namespace/namespace.h"

/* linux/shm.h */
#ifndef SHM_DEST
#define SHM_DEST   01000 /* removed with the last detach */
#define SHM_LOCKED 02000
#endif
#ifndef SHM_STAT_ANY
#define SHM_STAT_ANY 15 /* since 4.17 */
#endif

#define HUGE_SHIFT 26 /* SHM_HUGE_SHIFT */
#define HUGE_MASK  0x3f
#define HUGE_BITS  ((uint32_t)HUGE_MASK << HUGE_SHIFT)

/* What it occupies. */
static uint64_t content_size(const IpcShmEntry *record)
{
	uint64_t page = record->hugetlb_flag ? 1ull << (record->hugetlb_flag >> HUGE_SHIFT & HUGE_MASK) : page_size();

	return (record->size + page - 1) / page * page;
}

/* The file behind a segment, by an attachment of ours, whose end its name tells. Our memory is shared with whoever sent
 * us to this namespace. */
static int open_attached(int id, const char *memory, int flags)
{
	AUTO_CLOSE int proc = open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC);
	AUTO(mappings_done) struct mappings mappings = { 0 };
	const struct mapping *mapping;
	char path[64];
	int fd;

	if (proc < 0)
		return fail_errno("opening /proc/self");
	TRY(mappings_read(proc, MAPPINGS_PLAIN, &mappings));
	mapping = mappings_find(&mappings, (uintptr_t)memory);
	if (!mapping)
		return fail(ENOENT, "System V shared memory %d is not where it was attached", id);
	snprintf(path, sizeof(path), "map_files/%" PRIx64 "-%" PRIx64, mapping->start, mapping->end);
	fd = openat(proc, path, flags | O_CLOEXEC);
	return fd < 0 ? fail_errno("opening System V shared memory %d", id) : fd;
}

static int open_segment(int id, int flags)
{
	char *memory = shmat(id, NULL, flags == O_RDONLY ? SHM_RDONLY : 0);
	int fd;

	if (memory == (char *)-1)
		return fail_errno("attaching System V shared memory %d", id);
	fd = open_attached(id, memory, flags);
	shmdt(memory);
	return fd;
}

static int stat_index(int index)
{
	struct shmid_ds ds;
	int id = shmctl(index, SHM_STAT_ANY, &ds);

	return id < 0 ? -errno : id;
}

/* Of huge pages: their size, in the bits of shmget(2). */
static int find_sort(int fd, IpcShmEntry *record)
{
	struct statfs fs;

	if (fstatfs(fd, &fs) < 0)
		return fail_errno("asking for the file system of System V shared memory %u", record->desc->id);
	if (fs.f_type != HUGETLBFS_MAGIC)
		return 0;
	record->has_hugetlb_flag = true;
	record->hugetlb_flag = SHM_HUGETLB | (uint32_t)__builtin_ctzl((unsigned long)fs.f_bsize) << HUGE_SHIFT;
	return 0;
}

static int find_segment(struct ipc_contents *contents, int id)
{
	const struct dump *d = contents->d;
	IpcShmEntry *record = pool_new(d->pool, IpcShmEntry);
	AUTO_CLOSE int fd = -1;
	struct shmid_ds ds;

	if (shmctl(id, IPC_STAT, &ds) < 0)
		return fail_errno("looking at System V shared memory %d", id);
	fd = open_segment(id, O_RDONLY);
	TRY(fd);
	ipc_shm_entry__init(record);
	record->desc = ipc_desc_new(d, &ds.shm_perm, id);
	record->size = ds.shm_segsz;
	record->has_in_pagemaps = record->in_pagemaps = true;
	TRY(find_sort(fd, record));
	contents->segments[contents->n_segments++] = record;
	return memory_dump_segment(d, TAKE_FD(fd), id);
}

int ipc_segments_find(struct ipc_contents *contents)
{
	struct shm_info info;
	struct ipc_ids ids = { 0 };
	int last = shmctl(0, SHM_INFO, (struct shmid_ds *)&info), error = 0;

	if (last < 0)
		return fail_errno("looking for System V shared memory");
	TRY(ipc_ids_find(info.used_ids ? last : -1, stat_index, &ids));
	contents->segments = pool_array(contents->d->pool, IpcShmEntry *, ids.n);
	for (size_t i = 0; i < ids.n && error == 0; i++)
		error = find_segment(contents, ids.items[i]);
	vector_done(&ids);
	return error;
}

static int find_segment_size(const struct namespace *ns, int id, uint64_t *ret)
{
	const struct ipc_contents *contents = ns->data;

	for (size_t i = 0; contents && i < contents->n_segments; i++)
		if (contents->segments[i]->desc->id == (uint32_t)id) {
			*ret = contents->segments[i]->size;
			return 0;
		}
	return refuse(ENOENT,
		      "System V shared memory %d is attached, but it is not in the IPC namespace of the task: it "
		      "cannot be checkpointed yet",
		      id);
}

int ipc_segments_write(const struct ipc_contents *contents, struct store *store, uint32_t number)
{
	AUTO(image_close) struct image *image = NULL;

	TRY(image_create(store, &image, IMAGE_IPCNS_SHM, number));
	for (size_t i = 0; i < contents->n_segments; i++)
		TRY(image_write(image, contents->segments[i]));
	return image_finish(&image);
}

/* --- restore --- */

static int check_segment(const struct restore *r, const IpcShmEntry *record)
{
	TRY(ipc_desc_check(record->desc, "ipcns-shm"));
	if (record->hugetlb_flag &&
	    ((record->hugetlb_flag & ~HUGE_BITS) != SHM_HUGETLB || content_size(record) < record->size))
		return refuse(EINVAL, "System V shared memory %u has the flags 0x%x: the image is damaged",
			      record->desc->id, record->hugetlb_flag);
	if (record->has_in_pagemaps && record->in_pagemaps)
		return memory_load_object(r, record->desc->id, content_size(record));
	return refuse(EOPNOTSUPP,
		      "the content of System V shared memory %u stands in ipcns-shm, as old versions have it: that "
		      "cannot be read",
		      record->desc->id);
}

int ipc_segments_read(struct ipc_contents *contents, uint32_t number)
{
	AUTO(image_close) struct image *image = NULL;
	VECTOR(IpcShmEntry *) found = { 0 };
	IpcShmEntry *record;
	int more = image_open(contents->r->store, &image, IMAGE_IPCNS_SHM, number);

	if (more < 0)
		return more == -ENOENT ? 0 : more;
	while ((more = image_read(image, &record)) > 0) {
		more = check_segment(contents->r, record);
		if (more < 0)
			break;
		*vector_push(&found) = record;
	}
	contents->segments = pool_copy(contents->r->pool, found.items, found.n * sizeof(*found.items));
	contents->n_segments = found.n;
	contents->files = pool_array(contents->r->pool, int, found.n);
	for (size_t i = 0; i < found.n; i++)
		contents->files[i] = -1;
	vector_done(&found);
	return more;
}

int ipc_segments_make(struct ipc_contents *contents)
{
	for (size_t i = 0; i < contents->n_segments; i++) {
		const IpcShmEntry *record = contents->segments[i];
		struct shmid_ds ds;
		int id;

		TRY(ipc_will_make(record->desc, "shm_next_id"));
		id = shmget((key_t)record->desc->key, record->size,
			    IPC_CREAT | IPC_EXCL | (int)(record->hugetlb_flag | (record->desc->mode & 0777)));
		if (id < 0 && record->hugetlb_flag)
			return fail_errno("making System V shared memory %u of %" PRIu64
					  " bytes in huge pages (are there "
					  "enough free ones? /proc/sys/vm/nr_hugepages)",
					  record->desc->id, record->size);
		TRY(ipc_made(record->desc, id, "System V shared memory"));
		if (shmctl(id, IPC_STAT, &ds) < 0)
			return fail_errno("looking at System V shared memory %d", id);
		ipc_perm_set(record->desc, &ds.shm_perm);
		if (shmctl(id, IPC_SET, &ds) < 0)
			return fail_errno("setting the owner of System V shared memory %d", id);
	}
	return 0;
}

int ipc_segments_open(struct ipc_contents *contents)
{
	for (size_t i = 0; i < contents->n_segments; i++) {
		contents->files[i] = open_segment((int)contents->segments[i]->desc->id, O_RDWR);
		TRY(contents->files[i]);
	}
	return 0;
}

int ipc_segments_fill(struct restore *r, struct ipc_contents *contents)
{
	int error = 0;

	for (size_t i = 0; i < contents->n_segments; i++) {
		AUTO_CLOSE int fd = contents->files[i];

		if (error == 0)
			error = memory_fill_object(r, fd, contents->segments[i]->desc->id,
						   content_size(contents->segments[i]));
		contents->files[i] = -1;
	}
	return error;
}

/* Who had it attached has it again. */
int ipc_segments_settle(struct ipc_contents *contents)
{
	for (size_t i = 0; i < contents->n_segments; i++) {
		const IpcDescEntry *desc = contents->segments[i]->desc;

		if (desc->mode & SHM_LOCKED && shmctl((int)desc->id, SHM_LOCK, NULL) < 0)
			return fail_errno("locking System V shared memory %u", desc->id);
		if (desc->mode & SHM_DEST && shmctl((int)desc->id, IPC_RMID, NULL) < 0)
			return fail_errno("marking System V shared memory %u for removal", desc->id);
	}
	return 0;
}

const struct memory_segments memory_segments = {
	.find_size = find_segment_size,
};
