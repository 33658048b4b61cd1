/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Dump: programs and mapped files of a FUSE file system whose server is in the tree. The server gave a handle to who
 * opened such a file, and knows it by that; only the kernel's memory tells which.
 */
#include <errno.h>
#include <string.h>
#include <sys/types.h>

#include "base/fail.h"
#include "engine/engine.h"
#include "kern/proc/mapped-files.h"
#include "object/mount/fs/fuse-view.h"
#include "object/mount/mount.h"
#include "session/session.h"

#define I_DIRTY 7 /* I_DIRTY_SYNC, _DATASYNC and _PAGES, include/linux/fs.h of the kernel's source */

/* Of the task that was asked for last: all of its mappings come one after another. */
struct mapped_state {
	pid_t pid;
	mapped_file_list list;
};

static void destroy_mapped(void *state)
{
	struct mapped_state *mapped = state;

	vector_done(&mapped->list);
}

static const struct state_type mapped_type = { sizeof(struct mapped_state), destroy_mapped };

int mount_dump_fuse_mapped(const struct dump *d, const struct task *task, uint64_t start, uint64_t *ret)
{
	struct mapped_state *mapped = state_get(d->states, &mapped_type);

	if (mapped->pid != task->pid) {
		int error = mapped_files_read(task->pid, &mapped->list);

		if (error < 0)
			return fail(EOPNOTSUPP,
				    "its program or a mapped file is of a FUSE file system that is served in the tree: "
				    "this kernel does not tell how its server knows it (%s; Linux 6.1, CAP_BPF and "
				    "CAP_PERFMON): close it before the dump",
				    strerror(-error));
		mapped->pid = task->pid;
	}
	for (size_t i = 0; i < mapped->list.n; i++) {
		const struct mapped_file *found = &mapped->list.items[i];

		*ret = start ? found->file : found->program;
		if (*ret && (!start || found->start == start))
			return 0;
	}
	return fail(EAGAIN, "the mapping at %lx of a file of a FUSE file system was not found: try again",
		    (unsigned long)start);
}

int mount_dump_fuse_own(const struct dump *d, int fd, uint64_t *ret)
{
	struct fuse_view *view;

	TRY(fuse_view_get(d, &view));
	*ret = fuse_view_file(view, fd);
	return view->error ? fuse_view_give_up(view) : 0;
}

int mount_dump_fuse_at(const struct dump *d, const struct task *task, int number, uint64_t *ret)
{
	return fuse_view_file_of(d, task->dump->proc, number, ret);
}

/* With FUSE_WRITEBACK_CACHE sizes and times, too. */
static bool has_all_that_was_written(struct fuse_view *view, uint64_t file)
{
	uint64_t dentry = fuse_view_member(view, fuse_view_place(view, file, AT_file_f_path), AT_path_dentry),
		 inode = fuse_view_member(view, dentry, AT_dentry_d_inode);

	return !(fuse_view_member(view, inode, AT_inode_i_state) & I_DIRTY);
}

int mount_dump_fuse_flags(const struct dump *d, uint64_t file, uint32_t *ret)
{
	struct fuse_view *view;

	TRY(fuse_view_get(d, &view));
	*ret = (uint32_t)fuse_view_member(view, file, AT_file_f_flags);
	/* A dump lets them have all before it stops them. */
	if (!view->error && phase_acting_dump(d, PHASE_dump_drain) && !has_all_that_was_written(view, file))
		return refuse(
			EOPNOTSUPP,
			"what was written to it is not at the server of its file system yet (a shared mapping, or "
			"FUSE_WRITEBACK_CACHE): let the program sync it (fsync(2), msync(2)) before the dump, or "
			"try again");
	return view->error ? fuse_view_give_up(view) : 0;
}
