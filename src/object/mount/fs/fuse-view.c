/* SPDX-License-Identifier: GPL-2.0-only */
/* A structure that is not as it is known is a refusal, never a guess. */
#include "object/mount/fs/fuse-view.h"

#include <errno.h>
#include <string.h>

#include "base/auto.h"
#include "base/fail.h"
#include "kern/peek.h"
#include "session/kernel-view.h"
#include "session/session.h"

enum { OPTIONAL, NEEDED };

static const struct {
	const char *type, *member;
	int need;
} members[] = {
#define PLACE(type, member, need) { #type, #member, need },
	FUSE_MEMBERS(PLACE)
#undef PLACE
};

static void destroy_view(void *state)
{
	struct fuse_view *view = state;

	peek_close(&view->peek);
}

static const struct state_type view_state = { sizeof(struct fuse_view), destroy_view };

static int find_places(struct fuse_view *view)
{
	AUTO(btf_close) struct btf *btf = NULL;
	int error = btf_open(&btf);

	if (error < 0)
		return refuse(
			EOPNOTSUPP,
			"a FUSE file system cannot be saved here: the kernel does not tell of its structures (%s, "
			"/sys/kernel/btf/vmlinux, CONFIG_DEBUG_INFO_BTF)",
			strerror(-error));
	btf_add_module(btf, "fuse");
	for (size_t i = 0; i < N_FUSE_PLACES; i++)
		if (btf_find(btf, members[i].type, members[i].member, &view->places[i]) < 0 && members[i].need)
			return refuse(EOPNOTSUPP,
				      "a FUSE file system of this kernel cannot be saved: it does not tell of %s.%s "
				      "(CONFIG_DEBUG_INFO_BTF_MODULES, where FUSE is a module)",
				      members[i].type, members[i].member);
	return 0;
}

int fuse_view_get(const struct dump *d, struct fuse_view **ret)
{
	struct fuse_view *view = state_get(d->states, &view_state);

	if (!view->peek) {
		int error;

		TRY(find_places(view));
		error = peek_open(&view->peek);
		if (error < 0)
			return refuse(
				EOPNOTSUPP,
				"a FUSE file system cannot be saved: what its server has agreed upon shows only in "
				"the kernel's memory, which criu may not read (%s; CAP_BPF and CAP_PERFMON, no "
				"lockdown)",
				strerror(-error));
	}
	view->error = 0;
	*ret = view;
	return 0;
}

/* Zeros, once a read has failed. */
void fuse_view_read(struct fuse_view *view, uint64_t address, void *to, size_t size)
{
	int error = view->error ? 0 : peek_read(view->peek, address, to, size);

	if (error < 0)
		view->error = error;
	if (view->error)
		memset(to, 0, size);
}

uint64_t fuse_view_member(struct fuse_view *view, uint64_t base, enum fuse_place at)
{
	const struct btf_place *place = &view->places[at];
	uint64_t value = 0;

	if (!place->size)
		return 0;
	fuse_view_read(view, base + place->offset, &value, place->size < sizeof(value) ? place->size : sizeof(value));
	return place->bits ? value >> place->shift & ((1u << place->bits) - 1) : value;
}

int fuse_view_give_up(const struct fuse_view *view)
{
	return refuse(EOPNOTSUPP, "a FUSE file system cannot be read from the kernel's memory (%s)",
		      strerror(-view->error));
}

uint64_t fuse_view_place(const struct fuse_view *view, uint64_t base, enum fuse_place at)
{
	return base + view->places[at].offset;
}

uint64_t fuse_view_file(struct fuse_view *view, int fd)
{
	uint64_t files = fuse_view_member(view, peek_current(view->peek), AT_task_struct_files);
	uint64_t table = fuse_view_member(view, fuse_view_member(view, files, AT_files_struct_fdt), AT_fdtable_fd),
		 file = 0;

	fuse_view_read(view, table + (uint64_t)fd * sizeof(file), &file, sizeof(file));
	return file;
}

int fuse_view_file_of(const struct dump *d, int proc, int number, uint64_t *ret)
{
	const char *why;
	struct kernel_view *view = kernel_view_get(d, &why);

	*ret = view ? kernel_view_file_of(view, proc, number) : 0;
	return *ret ? 0
		    : refuse(EOPNOTSUPP, "how a FUSE server knows its file cannot be read from the kernel's memory%s%s",
			     why ? ": " : "", why ?: "");
}
