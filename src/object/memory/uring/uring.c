/* SPDX-License-Identifier: GPL-2.0-only */
/* io_uring_setup(2): rings of requests and completions, between which nothing is under way. */
#include "object/memory/uring/uring.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/io_uring.h>
#include <string.h>

#include "base/fail.h"
#include "base/outline.h"
#include "base/table.h"
#include "base/text.h"
#include "kern/proc/maps.h"
#include "kern/syscalls.h"
#include "object/file/file.h"
#include "object/memory/uring/uring-buffers.h"
#include "object/memory/uring/uring-look.h"
#include "object/memory/uring/uring-waiting.h"
#include "object/memory/uring/uring-personality.h"
#include "object/memory/uring/uring-provided.h"
#include "object/memory/uring/uring-registered.h"
#include "object/memory/uring/uring-requests.h"
#include "object/memory/uring/uring-restore.h"
#include "object/memory/uring/uring-sqpoll.h"
#include "session/pids.h"

const struct file_kind uring_kind;

#define ENTRIES_MAX 65536 /* of the completion ring; the kernel's limit (IORING_MAX_CQ_ENTRIES) */

#define KNOWN_SETUP                                                                                                   \
	(IORING_SETUP_IOPOLL | IORING_SETUP_SQPOLL | IORING_SETUP_SQ_AFF | IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP | \
	 IORING_SETUP_ATTACH_WQ | IORING_SETUP_R_DISABLED | IORING_SETUP_SUBMIT_ALL | IORING_SETUP_COOP_TASKRUN |     \
	 IORING_SETUP_TASKRUN_FLAG | IORING_SETUP_SQE128 | IORING_SETUP_CQE32 | IORING_SETUP_SINGLE_ISSUER |          \
	 IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_NO_SQARRAY | IORING_SETUP_HYBRID_IOPOLL | IORING_SETUP_CQE_MIXED)

/* --- dump --- */

static int check_setup(const struct uring_look *look)
{
	if (look->setup & (IORING_SETUP_NO_MMAP | IORING_SETUP_REGISTERED_FD_ONLY))
		return refuse(EOPNOTSUPP,
			      "its rings lie in memory of the program (IORING_SETUP_NO_MMAP): that cannot be "
			      "saved yet; run the program without");
	if (look->setup & ~(uint32_t)KNOWN_SETUP)
		return refuse(EOPNOTSUPP, "it was set up by flags that are not known (0x%x)", look->setup);
	return 0;
}

static void find_numbers(const struct dump *d, const struct uring_look *look, UringEntry *record)
{
	record->numbers = pool_array(d->pool, UringNumber *, look->n_numbers + 1);
	for (unsigned i = 0; i < look->n_numbers; i++) {
		UringNumber *one = pool_new(d->pool, UringNumber);

		uring_number__init(one);
		one->tid = uring_find_vtid(d, look->numbers[i].tid);
		one->number = look->numbers[i].number;
		if (one->tid)
			record->numbers[record->n_numbers++] = one;
	}
}

/* The thread that alone may use it. */
static int find_submitter(const struct dump *d, const struct uring_look *look, UringEntry *record)
{
	if (!(look->setup & IORING_SETUP_SINGLE_ISSUER) || look->setup & IORING_SETUP_R_DISABLED)
		return 0;
	record->submitter = uring_find_vtid(d, look->submitter);
	record->has_submitter = record->submitter;
	if (record->submitter)
		return 0;
	return refuse(EOPNOTSUPP,
		      "one thread alone may use it (IORING_SETUP_SINGLE_ISSUER), and that has ended, or is outside of "
		      "the tree: let the program close it");
}

static int refuse_requests(const struct uring_look *look)
{
	return refuse(EBUSY,
		      "%" PRIu64 " of its requests %s under way%s%s%s: they cannot be saved; let the program cancel "
		      "them or wait for them before the dump",
		      look->under_way, look->under_way == 1 ? "is" : "are", *look->requests ? " (" : "", look->requests,
		      *look->requests ? ")" : "");
}

/* Those that wait for nobody have come to their end when a dump is made: uring-wait.c. */
static int check_ended(struct dump *d, const struct open_file *of, void *arg)
{
	struct uring_look look;

	TRY(uring_look(d, of->fd, &look));
	if (look.under_way > look.n_waiting)
		return refuse_requests(&look);
	return uring_is_polled(arg) ? uring_check_thread(arg, &look) : 0;
}

static int check_idle(const struct uring_look *look)
{
	if (look->obstacle)
		return refuse(EOPNOTSUPP, "%s: that cannot be saved yet", look->obstacle);
	if (look->next_overflow && look->setup & (IORING_SETUP_CQE32 | IORING_SETUP_CQE_MIXED))
		return refuse(EOPNOTSUPP, "long completions wait for room in its ring: let the program read them");
	if (look->next_overflow && look->setup & IORING_SETUP_SINGLE_ISSUER)
		return refuse(EOPNOTSUPP, "completions wait for room in its ring, which one thread alone may use: let "
					  "the program read them");
	return 0;
}

static size_t sqe_size(uint32_t setup)
{
	return setup & IORING_SETUP_SQE128 ? 128 : 64;
}

static size_t cqe_size(uint32_t setup)
{
	return setup & IORING_SETUP_CQE32 ? 32 : 16;
}

static int read_content(const struct dump *d, uint64_t at, size_t size, ProtobufCBinaryData *ret)
{
	ret->len = size;
	ret->data = pool_alloc(d->pool, size + 1);
	return uring_look_at(d, at, ret->data, size);
}

static int read_waiting(const struct dump *d, struct uring_look *look, UringEntry *record)
{
	size_t capacity = 0;

	while (look->next_overflow) {
		UringOverflow *one = pool_new(d->pool, UringOverflow);
		struct uring_waiting waiting;

		TRY(uring_look_waiting(d, look, &waiting));
		if (record->n_overflow == capacity) {
			UringOverflow **more = pool_array(d->pool, UringOverflow *, capacity = 2 * capacity + 64);

			if (record->n_overflow)
				memcpy(more, record->overflow, record->n_overflow * sizeof(*more));
			record->overflow = more;
		}
		uring_overflow__init(one);
		one->user_data = waiting.user_data;
		one->res = waiting.res;
		one->flags = waiting.flags;
		record->overflow[record->n_overflow++] = one;
	}
	return 0;
}

/* Inodes of those that were looked at, also of those that were refused. */
struct uring_dump {
	struct table *seen;
};

static void destroy_dump(void *state)
{
	table_destroy(&((struct uring_dump *)state)->seen);
}

static const struct state_type uring_dump_state = { sizeof(struct uring_dump), destroy_dump };

static struct uring_dump *get_dump(const struct dump *d)
{
	struct uring_dump *dump = state_get(d->states, &uring_dump_state);

	if (!dump->seen)
		dump->seen = table_create();
	return dump;
}

/* A new one must make some of the requests that the old one has done, for other ends. */
static int check_counts(const UringEntry *record)
{
	const uint64_t provided = uring_count_provided(record);

	if (record->n_requests + provided <= record->sq_head && provided <= record->cq_tail)
		return 0;
	if (provided)
		return refuse(EOPNOTSUPP,
			      "it has made so few requests (%u) that it cannot be brought to where it is in "
			      "its buffers: try again when it has done more",
			      record->sq_head);
	return refuse(EOPNOTSUPP, "its count of requests has just begun anew: try again in a moment");
}

static int dump_uring(const struct dump *d, const struct open_file *of, FileEntry *out)
{
	UringEntry *record = out->uring;
	struct uring_look look;

	table_set(get_dump(d)->seen, of->stat.st_ino, record);
	TRY(uring_look(d, of->fd, &look));
	record->setup = look.setup;
	TRY(check_setup(&look));
	TRY(check_idle(&look));
	file_dump_save(d, check_ended, record);
	TRY(find_submitter(d, &look, record));
	find_numbers(d, &look, record);
	TRY(uring_dump_thread(d, of, &look, record));
	TRY(uring_dump_registered(d, look.ctx, record));
	TRY(uring_dump_personalities(d, of, look.ctx, record));
	TRY(uring_dump_buffers(d, of, look.ctx, record));
	TRY(uring_dump_provided(d, of, look.ctx, record));
	record->id = of->id;
	record->flags = of->flags;
	record->fown = of->owner;
	record->pid = of->task->vpid;
	record->sq_entries = look.sq_entries;
	record->cq_entries = look.cq_entries;
	record->sq_head = look.sq_head;
	record->sq_tail = look.shared.sq_tail;
	record->cq_head = look.shared.cq_head;
	record->cq_tail = look.cq_tail;
	record->sq_dropped = look.shared.sq_dropped;
	record->cq_flags = look.shared.cq_flags;
	record->cq_overflow = look.shared.cq_overflow;
	record->cqes_offset = look.cqes_offset;
	record->has_drain_disabled = record->drain_disabled = look.drain_disabled;
	TRY(read_waiting(d, &look, record));
	TRY(uring_dump_requests(d, of, &look, record));
	TRY(check_counts(record));
	TRY(read_content(d, look.sqes, look.sq_entries * sqe_size(look.setup), &record->sqes));
	TRY(read_content(d, look.rings + look.cqes_offset, look.cq_entries * cqe_size(look.setup), &record->cqes));
	if (!look.array)
		return 0;
	record->array_offset = (uint32_t)(look.array - look.rings);
	return read_content(d, look.array, look.sq_entries * sizeof(uint32_t), &record->array);
}

/* --- its memory --- */

bool uring_is_mapped(const struct mapping *mapping)
{
	return mapping->name && text_starts(mapping->name, "anon_inode:[io_uring]");
}

int uring_dump_mapping(const struct dump *d, const struct task *task, const struct mapping *mapping, VmaEntry *vma)
{
	size_t n;
	const struct known_descriptor *known = file_known_descriptors(d, &n);

	for (size_t i = 0; i < n; i++) {
		if (known[i].type != FD_TYPES__URING || known[i].ino != mapping->inode)
			continue;
		vma->shmid = known[i].id;
		vma->pgoff = mapping->pgoff;
		vma->status = VMA_REGULAR | VMA_FILE_SHARED;
		vma->has_fdflags = true;
		vma->fdflags = 2; /* O_RDWR */
		return 0;
	}
	if (table_find(get_dump(d)->seen, mapping->inode))
		return 0; /* why it cannot be saved was told */
	return refuse(EOPNOTSUPP,
		      "mapping %" PRIx64 "-%" PRIx64 " is of an io_uring that is open nowhere in the tree, or known by "
		      "a registered number only (IORING_REGISTER_RING_FDS): it cannot be saved",
		      mapping->start, mapping->end);
}

/* --- restore --- */

bool uring_is_of_one(const UringEntry *record)
{
	return record->setup & IORING_SETUP_SINGLE_ISSUER && !(record->setup & IORING_SETUP_R_DISABLED);
}

bool uring_is_polled(const UringEntry *record)
{
	return record->setup & IORING_SETUP_SQPOLL;
}

static bool is_power(uint32_t n)
{
	return n && !(n & (n - 1));
}

int uring_load(const struct restore *r, struct file *f)
{
	const UringEntry *record = f->entry->uring;
	bool has_array = !(record->setup & IORING_SETUP_NO_SQARRAY);

	if (!is_power(record->sq_entries) || !is_power(record->cq_entries) || record->cq_entries > ENTRIES_MAX ||
	    record->sq_entries > record->cq_entries || record->setup & ~(uint32_t)KNOWN_SETUP ||
	    record->sqes.len != record->sq_entries * sqe_size(record->setup) ||
	    record->cqes.len != record->cq_entries * cqe_size(record->setup) ||
	    record->array.len != (has_array ? record->sq_entries * sizeof(uint32_t) : 0) ||
	    uring_is_of_one(record) != !!record->has_submitter ||
	    (record->n_overflow && record->setup & IORING_SETUP_SINGLE_ISSUER))
		return refuse(EINVAL, "files.img: its record makes no sense");
	TRY(uring_load_provided(record));
	TRY(uring_load_requests(record));
	TRY(uring_load_registered(r, f));
	TRY(uring_load_thread(record));
	TRY(uring_load_personalities(record));
	TRY(uring_load_buffers(record));
	if (record->setup & IORING_SETUP_R_DISABLED && (record->sq_head || record->cq_tail || record->n_overflow))
		return refuse(EINVAL, "files.img: nobody has enabled it, but it has done requests");
	f->users++; /* until settle */
	return 0;
}

static int check_thread(const struct restore *r, int32_t vtid)
{
	const struct thread *thread = task_tree_find_thread(r->tree, vtid);

	if (!thread || !task_is_live(thread->task))
		return refuse(EINVAL, "files.img: thread %d, which uses it, is not there", vtid);
	return 0;
}

/* Of the table of registered files. */
static struct file *registered_file(const struct restore *r, const UringEntry *record, uint32_t number)
{
	for (size_t i = 0; i < record->n_files; i++)
		if (record->files[i]->number == number)
			return file_find(r, record->files[i]->file_id);
	return NULL;
}

static int link_request(const struct restore *r, const UringEntry *record, const UringRequest *request)
{
	struct file *file;

	TRY(check_thread(r, request->tid));
	if (!uring_request_has_file(request) || request->fd < 0)
		return 0;
	file = request->flags & IOSQE_FIXED_FILE
		       ? registered_file(r, record, (uint32_t)request->fd)
		       : file_at_number(r, task_tree_find_thread(r->tree, request->tid)->task, (uint32_t)request->fd);
	if (!file)
		return 0;
	file->awaited = file->lingers = true;
	file->pushed |= uring_request_pushes(request);
	return 0;
}

int uring_link(const struct restore *r, struct file *f)
{
	const UringEntry *record = f->entry->uring;

	if (record->has_submitter)
		TRY(check_thread(r, record->submitter));
	for (size_t i = 0; i < record->n_numbers; i++)
		TRY(check_thread(r, record->numbers[i]->tid));
	for (size_t i = 0; i < record->n_requests; i++)
		TRY(link_request(r, record, record->requests[i]));
	TRY(uring_link_thread(r, record));
	TRY(uring_link_buffers(r, record));
	TRY(uring_link_provided(r, record));
	return uring_link_registered(r, f);
}

static void inspect_uring(const struct restore *r, const struct file *f, struct outline *to)
{
	const UringEntry *record = f->entry->uring;

	outline_add_text(to, "rings", "%u requests, %u completions", record->sq_entries, record->cq_entries);
	outline_add_text(to, "unread completions", "%zu", record->cq_tail - record->cq_head + record->n_overflow);
}

const struct file_kind uring_kind = {
	.name = "io_uring",
	.type = FD_TYPES__URING,
	.entry = offsetof(FileEntry, uring),
	.anon_inode = "[io_uring]",
	.dump = dump_uring,
	.finish = uring_finish_registered,
	.load = uring_load,
	.link = uring_link,
	.inspect = inspect_uring,
	.create = uring_create,
	.settle = uring_settle,
};
