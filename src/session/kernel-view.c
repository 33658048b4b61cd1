/* SPDX-License-Identifier: GPL-2.0-only */
/* What no call tells, read from the kernel's memory. */
#include "session/kernel-view.h"

#include <string.h>

#include "base/pool.h"
#include "base/vector.h"
#include "kern/btf.h"
#include "kern/peek.h"
#include "session/session.h"

struct known_place {
	const char *type, *member;
	struct btf_place place;
	bool there;
};

struct kernel_view {
	bool tried;
	const char *why;
	struct btf *btf;
	struct peek *peek;
	VECTOR(struct known_place) known;
};

static void close_view(void *state)
{
	struct kernel_view *view = state;

	btf_close(&view->btf);
	peek_close(&view->peek);
	vector_done(&view->known);
}

static const struct state_type view_state = { sizeof(struct kernel_view), close_view };

static void open_view(struct kernel_view *view, struct pool *pool)
{
	int error = btf_open(&view->btf);

	view->tried = true;
	if (error < 0) {
		view->why = pool_printf(pool, "the kernel does not tell of its structures (%s; CONFIG_DEBUG_INFO_BTF)",
					strerror(-error));
		return;
	}
	error = peek_open(&view->peek);
	if (error < 0)
		view->why = pool_printf(pool,
					"criu may not read the kernel's memory (%s; CAP_BPF, CAP_PERFMON, no "
					"lockdown)",
					strerror(-error));
}

struct kernel_view *kernel_view_get(const struct dump *d, const char **ret_why)
{
	struct kernel_view *view = state_get(d->states, &view_state);

	if (!view->tried)
		open_view(view, d->pool);
	*ret_why = view->why;
	return view->why ? NULL : view;
}

static const struct known_place *find_place(struct kernel_view *view, const char *type, const char *member)
{
	struct known_place *known;

	for (size_t i = 0; i < view->known.n; i++)
		if (!strcmp(view->known.items[i].member, member) && !strcmp(view->known.items[i].type, type))
			return &view->known.items[i];
	known = vector_push(&view->known);
	*known = (struct known_place){ .type = type, .member = member };
	known->there = btf_find(view->btf, type, member, &known->place) >= 0 && !known->place.bits;
	return known;
}

bool kernel_view_read(struct kernel_view *view, uint64_t base, const char *type, const char *member, void *to,
		      size_t size)
{
	const struct known_place *known = find_place(view, type, member);

	return base && known->there && known->place.size == size &&
	       peek_read(view->peek, base + known->place.offset, to, size) >= 0;
}

uint64_t kernel_view_place(struct kernel_view *view, uint64_t base, const char *type, const char *member)
{
	const struct known_place *known = find_place(view, type, member);

	return base && known->there ? base + known->place.offset : 0;
}

uint64_t kernel_view_file(struct kernel_view *view, int fd)
{
	uint64_t files, table, descriptors, file;

	if (kernel_view_read(view, peek_current(view->peek), "task_struct", "files", &files, sizeof(files)) &&
	    kernel_view_read(view, files, "files_struct", "fdt", &table, sizeof(table)) &&
	    kernel_view_read(view, table, "fdtable", "fd", &descriptors, sizeof(descriptors)) &&
	    peek_read(view->peek, descriptors + (uint64_t)fd * sizeof(file), &file, sizeof(file)) >= 0)
		return file;
	return 0;
}
