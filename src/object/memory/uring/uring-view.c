/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The structures of the kernel by which an io_uring is seen. A structure that is not as it is known is a refusal, never
 * a guess.
 */
#include "object/memory/uring/uring-view.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/array.h"
#include "base/auto.h"
#include "base/fail.h"
#include "kern/peek.h"
#include "kern/proc/pagemap.h"
#include "session/session.h"

static const struct {
	const char *type, *member;
	int need;
} members[] = {
#define PLACE(type, member, need) { #type, #member, need },
	MEMBERS(PLACE)
#undef PLACE
};

static void destroy_view(void *state)
{
	struct uring_view *view = state;

	peek_close(&view->peek);
}

static const struct state_type view_state = { sizeof(struct uring_view), destroy_view };

static int find_size(struct btf *btf, const char *type, uint32_t *ret)
{
	struct btf_place whole;

	if (btf_find(btf, type, "", &whole) < 0)
		return refuse(EOPNOTSUPP, "an io_uring of this kernel cannot be saved: it has no %s", type);
	*ret = whole.size;
	return 0;
}

static int find_places(struct uring_view *view)
{
	const struct {
		const char *name;
		int64_t *value;
	} constants[] = {
		{ "REQ_F_CREDS_BIT", &view->creds_bit },
		{ "REQ_F_FAIL_BIT", &view->fail_bit },
		{ "REQ_F_BUFFER_SELECTED_BIT", &view->selected_bit },
		{ "REQ_F_HAS_METADATA_BIT", &view->metadata_bit },
		{ "REQ_F_LINK_TIMEOUT_BIT", &view->timed_bit },
		{ "IOBL_BUF_RING", &view->ring_flag },
		{ "IOBL_INC", &view->inc_flag },
		{ "IO_REGION_F_USER_PROVIDED", &view->given_flag },
		{ "ITER_UBUF", &view->one_part },
		{ "ITER_IOVEC", &view->parts },
	};
	AUTO(btf_close) struct btf *btf = NULL;
	int error = btf_open(&btf);

	if (error < 0)
		return refuse(EOPNOTSUPP,
			      "an io_uring cannot be saved here: the kernel does not tell of its structures (%s, "
			      "/sys/kernel/btf/vmlinux, CONFIG_DEBUG_INFO_BTF)",
			      strerror(-error));
	for (size_t i = 0; i < N_PLACES; i++)
		if (btf_find(btf, members[i].type, members[i].member, &view->places[i]) < 0 && members[i].need)
			return refuse(EOPNOTSUPP,
				      "an io_uring of this kernel cannot be saved: it has no %s.%s (Linux 6.18 has it)",
				      members[i].type, members[i].member);
	TRY(find_size(btf, "io_hash_bucket", &view->bucket_size));
	TRY(find_size(btf, "upid", &view->upid_size));
	TRY(find_size(btf, "page", &view->page_struct_size));
	TRY(find_size(btf, "bio_vec", &view->bvec_size));
	for (size_t i = 0; i < ARRAY_SIZE(constants); i++)
		if (btf_find_constant(btf, constants[i].name, constants[i].value) < 0)
			return refuse(EOPNOTSUPP, "an io_uring of this kernel cannot be saved: it has no %s",
				      constants[i].name);
	return 0;
}

int uring_view_get(const struct dump *d, struct uring_view **ret)
{
	struct uring_view *view = state_get(d->states, &view_state);
	int error;

	if (!view->peek) {
		TRY(find_places(view));
		error = peek_open(&view->peek);
		if (error < 0)
			return refuse(
				EOPNOTSUPP,
				"an io_uring cannot be saved: what it does shows only in the kernel's memory, which "
				"criu may not read (%s; CAP_BPF and CAP_PERFMON, no lockdown)",
				strerror(-error));
	}
	view->error = 0;
	*ret = view;
	return 0;
}

void uring_view_read(struct uring_view *view, uint64_t address, void *to, size_t size)
{
	int error = view->error ? 0 : peek_read(view->peek, address, to, size);

	if (error < 0)
		view->error = error;
	if (view->error)
		memset(to, 0, size);
}

uint64_t uring_view_member(struct uring_view *view, uint64_t base, enum place at)
{
	const struct btf_place *place = &view->places[at];
	uint64_t value = 0;

	if (!place->size)
		return 0;
	uring_view_read(view, base + place->offset, &value, place->size < sizeof(value) ? place->size : sizeof(value));
	return place->bits ? value >> place->shift & ((1u << place->bits) - 1) : value;
}

#define XA_NODE	    2 /* in the two lowest bits of an entry: more entries */
#define XA_NODE_LOW 4096
#define XA_DEPTH    12

static void walk_entry(struct uring_view *view, uint64_t number, uint64_t entry, unsigned depth,
		       void (*found)(void *arg, uint64_t number, uint64_t entry), void *arg)
{
	const uint64_t node = entry - XA_NODE, slots = view->places[AT_xa_node_slots].size / sizeof(entry);
	uint64_t shift;

	if (!entry || view->error)
		return;
	if ((entry & 3) != XA_NODE) {
		found(arg, number, entry);
		return;
	}
	if (entry < XA_NODE_LOW) /* the kernel's own, as the place 0 of those that count from 1 */
		return;
	shift = uring_view_member(view, node, AT_xa_node_shift) & 63;
	for (uint64_t i = 0; i < slots && depth < XA_DEPTH; i++) {
		uring_view_read(view, uring_view_place(view, node, AT_xa_node_slots) + i * sizeof(entry), &entry,
				sizeof(entry));
		walk_entry(view, number + (i << shift), entry, depth + 1, found, arg);
	}
}

void uring_view_walk(struct uring_view *view, uint64_t xarray,
		     void (*found)(void *arg, uint64_t number, uint64_t entry), void *arg)
{
	walk_entry(view, 0, uring_view_member(view, xarray, AT_xarray_xa_head), 0, found, arg);
}

uint64_t uring_view_place(const struct uring_view *view, uint64_t base, enum place at)
{
	return base + view->places[at].offset;
}

int32_t uring_view_tid(struct uring_view *view, uint64_t task)
{
	uint64_t own = uring_view_member(view, peek_current(view->peek), AT_task_struct_thread_pid), pid;
	uint64_t level = uring_view_member(view, own, AT_pid_level);

	if (!task)
		return 0;
	pid = uring_view_member(view, task, AT_task_struct_thread_pid);
	if (!pid || level > uring_view_member(view, pid, AT_pid_level)) /* it has ended, or lives elsewhere */
		return 0;
	return (int32_t)uring_view_member(view, uring_view_place(view, pid, AT_pid_numbers) + level * view->upid_size,
					  AT_upid_nr);
}

int32_t uring_view_own_tid(struct uring_view *view, uint64_t task)
{
	const uint64_t pid = uring_view_member(view, task, AT_task_struct_thread_pid);
	const uint64_t level = uring_view_member(view, pid, AT_pid_level);

	return (int32_t)uring_view_member(view, uring_view_place(view, pid, AT_pid_numbers) + level * view->upid_size,
					  AT_upid_nr);
}

int uring_view_give_up(const struct uring_view *view)
{
	return refuse(EOPNOTSUPP, "an io_uring cannot be read from the kernel's memory (%s)", strerror(-view->error));
}

/* Of a page that we know both of: the first one of a ring of our own. */
static int learn_first_page(struct uring_view *view, int fd, const void *ring)
{
	uint64_t region =
		uring_view_place(view, uring_view_member(view, uring_view_file(view, fd), AT_file_private_data),
				 AT_io_ring_ctx_ring_region);
	struct page_tables tables;
	AUTO_CLOSE int self = open("/proc/self", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	uint64_t page = 0, word = 0;
	int error;

	if (self < 0)
		return fail_errno("opening /proc/self");
	uring_view_read(view, uring_view_member(view, region, AT_io_mapped_region_pages), &page, sizeof(page));
	TRY(pagemap_open(&tables, self));
	error = pagemap_read_words(&tables, (uintptr_t)ring, 1, &word);
	pagemap_close(&tables);
	TRY(error);
	if (!(word & PAGEMAP_PRESENT) || !(word & PAGEMAP_PFN))
		return refuse(EOPNOTSUPP, "the buffers of an io_uring cannot be told from other memory: that takes "
					  "CAP_SYS_ADMIN (/proc/self/pagemap)");
	view->first_page = page - (word & PAGEMAP_PFN) * view->page_struct_size;
	return view->error ? uring_view_give_up(view) : 0;
}

int uring_view_frame(struct uring_view *view, uint64_t page, uint64_t *ret)
{
	if (!view->first_page) {
		struct io_uring_params params = { 0 };
		AUTO_CLOSE int fd = (int)syscall(SYS_io_uring_setup, 1, &params);
		const size_t size = sizeof(uint32_t);
		volatile uint32_t *ring =
			fd < 0 ? MAP_FAILED : mmap(NULL, size, PROT_READ, MAP_SHARED, fd, IORING_OFF_SQ_RING);
		int error;

		if (ring == MAP_FAILED)
			return fail_errno("making an io_uring to compare with");
		(void)*ring; /* it must be there */
		error = learn_first_page(view, fd, (const void *)ring);
		munmap((void *)ring, size);
		TRY(error);
	}
	*ret = (page - view->first_page) / view->page_struct_size;
	return 0;
}

uint64_t uring_view_file(struct uring_view *view, int fd)
{
	uint64_t files = uring_view_member(view, peek_current(view->peek), AT_task_struct_files);
	uint64_t table = uring_view_member(view, uring_view_member(view, files, AT_files_struct_fdt), AT_fdtable_fd),
		 file = 0;

	uring_view_read(view, table + (uint64_t)fd * sizeof(file), &file, sizeof(file));
	return file;
}
