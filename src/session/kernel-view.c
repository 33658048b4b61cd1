/* SPDX-License-Identifier: GPL-2.0-only */
/* What no call tells, read from the kernel's memory. */
#include "session/kernel-view.h"

#include <string.h>

#include "base/pool.h"
#include "base/vector.h"
#include "kern/btf.h"
#include "kern/peek.h"
#include "session/session.h"

#define PROBE		1 /* an address that is none, to ask where a member lies */
#define PIDTYPE_TGID	1 /* of the kernel's enum pid_type */
#define HLIST_NODE_SIZE 16
#define UPID_SIZE	16

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

bool kernel_view_read_at(struct kernel_view *view, uint64_t address, void *to, size_t size)
{
	return peek_read(view->peek, address, to, size) >= 0;
}

uint64_t kernel_view_place(struct kernel_view *view, uint64_t base, const char *type, const char *member)
{
	const struct known_place *known = find_place(view, type, member);

	return base && known->there ? base + known->place.offset : 0;
}

static uint64_t find_file(struct kernel_view *view, uint64_t task, int number)
{
	uint64_t files, table, descriptors, file;

	if (kernel_view_read(view, task, "task_struct", "files", &files, sizeof(files)) &&
	    kernel_view_read(view, files, "files_struct", "fdt", &table, sizeof(table)) &&
	    kernel_view_read(view, table, "fdtable", "fd", &descriptors, sizeof(descriptors)) &&
	    peek_read(view->peek, descriptors + (uint64_t)number * sizeof(file), &file, sizeof(file)) >= 0)
		return file;
	return 0;
}

uint64_t kernel_view_file(struct kernel_view *view, int fd)
{
	return find_file(view, peek_current(view->peek), fd);
}

/* The directory /proc/PID keeps the struct pid, which heads a list of the tasks that it is the number of. */
static uint64_t find_task(struct kernel_view *view, int proc)
{
	uint64_t inode, pid, link;
	const uint64_t in_proc = kernel_view_place(view, PROBE, "proc_inode", "vfs_inode"),
		       in_task = kernel_view_place(view, PROBE, "task_struct", "pid_links");

	if (!in_proc || !in_task ||
	    !kernel_view_read(view, kernel_view_file(view, proc), "file", "f_inode", &inode, sizeof(inode)) ||
	    !kernel_view_read(view, inode - (in_proc - PROBE), "proc_inode", "pid", &pid, sizeof(pid)) ||
	    peek_read(view->peek, kernel_view_place(view, pid, "pid", "tasks") + PIDTYPE_TGID * sizeof(link), &link,
		      sizeof(link)) < 0 ||
	    !link)
		return 0;
	return link - (in_task - PROBE) - PIDTYPE_TGID * HLIST_NODE_SIZE;
}

uint64_t kernel_view_file_of(struct kernel_view *view, int proc, int number)
{
	return find_file(view, find_task(view, proc), number);
}

int32_t kernel_view_pid(struct kernel_view *view, uint64_t pid)
{
	uint64_t own;
	uint32_t level, levels;
	int32_t number;

	if (kernel_view_read(view, peek_current(view->peek), "task_struct", "thread_pid", &own, sizeof(own)) &&
	    kernel_view_read(view, own, "pid", "level", &level, sizeof(level)) &&
	    kernel_view_read(view, pid, "pid", "level", &levels, sizeof(levels)) && level <= levels &&
	    kernel_view_read(view, kernel_view_place(view, pid, "pid", "numbers") + level * UPID_SIZE, "upid", "nr",
			     &number, sizeof(number)))
		return number;
	return 0;
}
