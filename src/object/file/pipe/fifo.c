/* SPDX-License-Identifier: GPL-2.0-only */
/* Named pipes: opened by path, with what is inside. */
#include <fcntl.h>
#include <linux/magic.h>

#include "base/auto.h"
#include "base/fail.h"
#include "object/file/file-restore.h"
#include "object/file/needs.h"
#include "object/file/pipe/content.h"
#include "object/file/pipe/pipe.h"
#include "object/file/regular/open.h"
#include "object/file/regular/regular.h"

static bool is_fifo(const struct open_file *of)
{
	return !(of->flags & O_PATH) && of->fs_magic != PIPEFS_MAGIC;
}

static int dump_fifo(const struct dump *d, const struct open_file *of, FileEntry *out)
{
	out->fifo->id = of->id;
	out->fifo->pipe_id = (uint32_t)of->stat.st_ino;
	out->fifo->has_regf_id = true;
	return regular_dump_extra(d, of, &out->fifo->regf_id);
}

static const struct state_type fifo_copies = { sizeof(struct pipe_copies), pipe_copies_done };
static const struct state_type fifo_contents = { sizeof(struct pipe_contents), pipe_contents_done };

static int drain_fifo(struct dump *d, const struct open_file *of)
{
	if ((of->flags & O_ACCMODE) == O_WRONLY)
		return 0;
	return pipe_dump_content(d, of, state_get(d->states, &fifo_copies), IMAGE_FIFO_DATA);
}

static int write_fifos(struct dump *d)
{
	return pipe_finish_content(state_get(d->states, &fifo_copies));
}

/* --- restore --- */

static int prepare_fifos(const struct restore *r)
{
	return pipe_load_content(r, state_get(r->states, &fifo_contents), IMAGE_FIFO_DATA);
}

static int load_fifo(const struct restore *r, struct file *f)
{
	f->data = pipe_join_group(r, state_get(r->states, &fifo_contents), f->entry->fifo->pipe_id, f);
	return 0;
}

static int find_path(const struct restore *r, const struct file *f, const RegFileEntry **ret)
{
	const FifoEntry *record = f->entry->fifo;

	return regular_find_record(r, record->has_regf_id ? record->regf_id : f->id, ret);
}

static int link_fifo(const struct restore *r, struct file *f)
{
	const RegFileEntry *path;

	TRY(find_path(r, f, &path));
	return file_own_later(r, f, path->fown);
}

/*
 * The first opening is for both directions, so that none of the others waits for a partner and what is written stays
 * until they are all there (fifo(7)).
 */
static int create_fifo(struct restore *r, struct file *f)
{
	struct pipe_group *group = f->data;
	AUTO_CLOSE int both = -1;
	const RegFileEntry *path;
	RegFileEntry copy;

	TRY(find_path(r, f, &path));
	copy = *path;
	copy.flags = O_RDWR;
	TRY(regular_open(r, &copy, 0, &both));
	TRY(pipe_fill(state_get(r->states, &fifo_contents), group->pipe_id, both));
	for (size_t i = 0; i < group->n; i++) {
		struct file *other = group->files[i];

		if (!other->users)
			continue;
		TRY(find_path(r, other, &path));
		TRY(regular_open(r, path, 0, &other->fd));
		TRY(file_apply_flags(other->fd, path->flags, path->fown));
	}
	return 0;
}

static int need_fifo(const struct restore *r, struct file *f)
{
	const RegFileEntry *path;

	TRY(find_path(r, f, &path));
	return f->users ? regular_need(r, path) : 0;
}

const struct file_kind fifo_kind = {
	.name = "fifo",
	.type = FD_TYPES__FIFO,
	.entry = offsetof(FileEntry, fifo),
	.format = S_IFIFO,
	.is = is_fifo,
	.dump = dump_fifo,
	.drain = drain_fifo,
	.write = write_fifos,
	.prepare = prepare_fifos,
	.load = load_fifo,
	.link = link_fifo,
	.needs = need_fifo,
	.create = create_fifo,
};
