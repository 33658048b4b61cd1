/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What is registered with an io_uring. The kernel keeps files and not their numbers: each is looked for among the
 * descriptors of the tree.
 */
#include "object/memory/uring/uring-registered.h"

#include <errno.h>
#include <linux/io_uring.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "kern/pidfd.h"
#include "kern/syscalls.h"
#include "object/file/file.h"
#include "object/memory/uring/uring-buffers.h"
#include "object/memory/uring/uring-personality.h"
#include "object/memory/uring/uring-provided.h"
#include "object/memory/uring/uring-view.h"
#include "object/memory/uring/uring.h"
#include "plan/plan.h"
#include "session/survey.h"

#define FILES_MAX 32768 /* IORING_MAX_FIXED_FILES was so, later it is more */

/* --- dump --- */

/* A file of the kernel to be found; its number goes to id. */
struct sought {
	struct sought *next;
	uint64_t file;	  /* 0: the eventfd */
	uint64_t eventfd; /* its context */
	UringEntry *record;
	uint32_t *id;
	uint32_t number;
};

static const struct state_type sought_state = { sizeof(struct sought *), NULL };

static void seek_file(const struct dump *d, const struct sought *what)
{
	struct sought **first = state_get(d->states, &sought_state), *one = pool_new(d->pool, struct sought);

	*one = *what;
	one->next = *first;
	*first = one;
}

static int dump_files(const struct dump *d, struct uring_view *view, uint64_t ctx, UringEntry *record)
{
	uint64_t data =
		uring_view_place(view, uring_view_place(view, ctx, AT_io_ring_ctx_file_table), AT_io_file_table_data);
	uint64_t n = uring_view_member(view, data, AT_io_rsrc_data_nr), node;
	uint64_t nodes = uring_view_member(view, data, AT_io_rsrc_data_nodes);

	if (!n)
		return 0;
	if (n > FILES_MAX || uring_view_member(view, ctx, AT_io_ring_ctx_file_alloc_start) ||
	    uring_view_member(view, ctx, AT_io_ring_ctx_file_alloc_end) != n)
		return refuse(EOPNOTSUPP,
			      "its table of registered files has more than %u, or chooses numbers from a "
			      "range (IORING_REGISTER_FILE_ALLOC_RANGE): that cannot be saved",
			      FILES_MAX);
	record->has_files_room = true;
	record->files_room = (uint32_t)n;
	record->files = pool_array(d->pool, UringFile *, n);
	for (uint32_t i = 0; i < n; i++) {
		UringFile *one;

		uring_view_read(view, nodes + i * sizeof(node), &node, sizeof(node));
		if (!node)
			continue;
		one = record->files[record->n_files++] = pool_new(d->pool, UringFile);
		uring_file__init(one);
		one->number = i;
		one->tag = uring_view_member(view, node, AT_io_rsrc_node_tag);
		seek_file(d, &(struct sought){ .file = uring_view_member(view, node, AT_io_rsrc_node_file_ptr) &
						       ~(uint64_t)URING_FILE_BITS,
					       .record = record,
					       .id = &one->file_id,
					       .number = i });
	}
	return 0;
}

int uring_dump_registered(const struct dump *d, uint64_t ctx, UringEntry *record)
{
	struct uring_view *view;
	uint64_t eventfd, limits;

	TRY(uring_view_get(d, &view));
	eventfd = uring_view_member(view, ctx, AT_io_ring_ctx_io_ev_fd);
	if (eventfd) {
		record->has_eventfd_id = record->has_eventfd_async = true;
		record->eventfd_async = uring_view_member(view, eventfd, AT_io_ev_fd_eventfd_async);
		seek_file(d, &(struct sought){ .eventfd = uring_view_member(view, eventfd, AT_io_ev_fd_cq_ev_fd),
					       .record = record,
					       .id = &record->eventfd_id });
	}
	TRY(dump_files(d, view, ctx, record));
	record->clock = (uint32_t)uring_view_member(view, ctx, AT_io_ring_ctx_clockid);
	record->has_clock = record->clock > CLOCK_MONOTONIC;
	if (uring_view_member(view, ctx, AT_io_ring_ctx_iowq_limits_set)) {
		record->workers = pool_array(d->pool, uint32_t, 2);
		limits = uring_view_member(view, ctx, AT_io_ring_ctx_iowq_limits);
		record->workers[record->n_workers++] = (uint32_t)limits;
		record->workers[record->n_workers++] = (uint32_t)(limits >> 32);
	}
	return view->error ? uring_view_give_up(view) : 0;
}

/* All that are sought, with the file behind a descriptor of the tree. */
static int compare_sought(const struct dump *d, struct uring_view *view, const struct known_descriptor *known)
{
	AUTO_CLOSE int fd = pidfd_take_fd(known->task->dump->pidfd, known->fd);
	uint64_t file, eventfd = 0;

	if (fd < 0)
		return 0; /* of a program that runs: closed by now */
	file = uring_view_file(view, fd);
	if (known->type == FD_TYPES__EVENTFD)
		eventfd = uring_view_member(view, file, AT_file_private_data);
	for (struct sought *one = *(struct sought **)state_get(d->states, &sought_state); one; one = one->next)
		if (one->file ? one->file == file : eventfd && one->eventfd == eventfd)
			*one->id = known->id;
	return view->error ? uring_view_give_up(view) : 0;
}

static int refuse_closed(const struct sought *one)
{
	if (one->file)
		return refuse(EOPNOTSUPP,
			      "its registered file %u is open nowhere in the tree: it cannot be saved; let the program "
			      "keep a descriptor of it",
			      one->number);
	return refuse(EOPNOTSUPP, "the eventfd that it tells is open nowhere in the tree: it cannot be saved; let the "
				  "program keep a descriptor of it");
}

/* Who has the ring open. */
static int refuse_of(const struct sought *one, const struct known_descriptor *known, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (known[i].id == one->record->id) {
			LOG_SCOPE("task %d (%s)", known[i].task->pid, known[i].task->comm);
			LOG_SCOPE("fd %d (io_uring)", known[i].fd);
			return refuse_closed(one);
		}
	return refuse_closed(one); /* in a message only */
}

int uring_finish_registered(const struct dump *d)
{
	const struct sought *first = *(struct sought **)state_get(d->states, &sought_state);
	struct uring_view *view;
	size_t n;
	const struct known_descriptor *known = file_known_descriptors(d, &n);

	if (!first)
		return 0;
	TRY(uring_view_get(d, &view));
	for (size_t i = 0; i < n; i++)
		TRY(compare_sought(d, view, &known[i]));
	for (const struct sought *one = first; one; one = one->next)
		if (!*one->id)
			TRY(dump_go_on(d, refuse_of(one, known, n)));
	return 0;
}

/* --- restore --- */

int uring_load_registered(const struct restore *r, const struct file *f)
{
	const UringEntry *record = f->entry->uring;

	if (record->files_room > FILES_MAX || record->n_files > record->files_room ||
	    (record->n_workers && record->n_workers != 2))
		return refuse(EINVAL, "files.img: what it has registered makes no sense");
	for (size_t i = 0; i < record->n_files; i++)
		if (record->files[i]->number >= record->files_room)
			return refuse(EINVAL, "files.img: its registered file %u is outside of the table",
				      record->files[i]->number);
	return 0;
}

/* They are there until it has them. */
static int use_file(const struct restore *r, uint32_t id, FdTypes type)
{
	struct file *file;

	if (file_use(r, id, &file) < 0 || (type && file->entry->type != type) || file->entry->uring)
		return refuse(EINVAL, "files.img: it has registered file %u, which cannot be", id);
	file->lingers = true;
	return 0;
}

int uring_link_registered(const struct restore *r, const struct file *f)
{
	const UringEntry *record = f->entry->uring;

	for (size_t i = 0; i < record->n_files; i++)
		TRY(use_file(r, record->files[i]->file_id, 0));
	return record->has_eventfd_id ? use_file(r, record->eventfd_id, FD_TYPES__EVENTFD) : 0;
}

static int call_register(int fd, unsigned opcode, void *arg, unsigned n, const char *what)
{
	return syscall(SYS_io_uring_register, fd, opcode, arg, n) < 0 ? fail_errno("registering %s", what) : 0;
}

static int register_files(struct restore *r, const UringEntry *record, int fd)
{
	struct io_uring_rsrc_register table = { .nr = record->files_room };
	AUTO_FREE int32_t *fds = xmalloc(record->files_room * sizeof(*fds));
	AUTO_FREE uint64_t *tags = xzalloc(record->files_room * sizeof(*tags));

	memset(fds, -1, record->files_room * sizeof(*fds));
	for (size_t i = 0; i < record->n_files; i++) {
		const UringFile *one = record->files[i];

		TRY(file_get_fd(r, file_find(r, one->file_id), &fds[one->number]));
		tags[one->number] = one->tag;
	}
	table.data = (uintptr_t)fds;
	table.tags = (uintptr_t)tags;
	TRY(call_register(fd, IORING_REGISTER_FILES2, &table, sizeof(table), "files"));
	for (size_t i = 0; i < record->n_files; i++)
		file_put(r, file_find(r, record->files[i]->file_id));
	return 0;
}

int uring_register(struct restore *r, const struct file *f, int fd)
{
	const UringEntry *record = f->entry->uring;
	struct uring_clock clock = { record->clock, { 0 } };
	uint32_t workers[2];

	if (record->has_clock)
		TRY(call_register(fd, IORING_REGISTER_CLOCK, &clock, 0, "a clock (Linux 6.12)"));
	if (record->n_workers == 2) {
		memcpy(workers, record->workers, sizeof(workers));
		TRY(call_register(fd, IORING_REGISTER_IOWQ_MAX_WORKERS, workers, 2, "how many workers there may be"));
	}
	TRY(uring_register_personalities(record, fd));
	TRY(uring_register_table(record, fd));
	TRY(uring_register_provided(record, fd));
	return record->has_files_room && record->files_room ? register_files(r, record, fd) : 0;
}

static unsigned eventfd_opcode(const UringEntry *record)
{
	return record->eventfd_async ? IORING_REGISTER_EVENTFD_ASYNC : IORING_REGISTER_EVENTFD;
}

int uring_register_eventfd(struct restore *r, const struct file *f, int fd)
{
	const UringEntry *record = f->entry->uring;
	struct file *eventfd;
	int number;

	if (!record->has_eventfd_id)
		return 0;
	eventfd = file_find(r, record->eventfd_id);
	TRY(file_get_fd(r, eventfd, &number));
	if (!uring_is_of_one(record))
		TRY(call_register(fd, eventfd_opcode(record), &number, 1, "an eventfd"));
	file_put(r, eventfd);
	return 0;
}

int uring_plan_eventfd(struct restore *r, const struct file *f, unsigned slot, unsigned free_slot, struct plan *plan)
{
	const UringEntry *record = f->entry->uring;
	int32_t none = -1;
	size_t at;
	int fd;

	if (!record->has_eventfd_id)
		return 0;
	TRY(file_get_fd(r, file_find(r, record->eventfd_id), &fd));
	file_plan_fetch(r, plan, fd, free_slot); /* and the next one */
	at = plan_data(plan, &none, sizeof(none));
	plan_step(plan, "the eventfd to be registered", STEP_SET_INT, (struct plan_arg[]){ D(at), S(free_slot) }, 2);
	plan_syscall(plan, "register an eventfd", __NR_io_uring_register, S(slot), V(eventfd_opcode(record)), D(at),
		     V(1));
	plan_syscall(plan, "close what was fetched", __NR_close, S(free_slot));
	return 0;
}
