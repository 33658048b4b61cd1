/* SPDX-License-Identifier: GPL-2.0-only */
/* Pipes: both ends, each maybe opened several times, with what is inside. */
#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/outline.h"
#include "base/log.h"
#include "base/pool.h"
#include "base/table.h"
#include "object/file/pipe/pipe.h"
#include "object/file/pipe/content.h"
#include "object/mount/mount.h"
#include "session/given.h"

static bool is_open(const struct open_file *of)
{
	return !(of->flags & O_PATH);
}

struct pipe_dump {
	struct pipe_copies copies;
	struct table *ends; /* by inode: struct pipe_ends */
	struct pipe_ends *first;
};

/* Which ends were seen in the tree, and whether the other end is open anywhere. */
struct pipe_ends {
	struct pipe_ends *next;
	ino_t ino;
	bool reader, writer, peer;
	int pid, fd;
};

static void destroy_dump(void *state)
{
	struct pipe_dump *dump = state;

	table_destroy(&dump->ends);
	pipe_copies_done(&dump->copies);
}

static const struct state_type pipe_dump_state = { sizeof(struct pipe_dump), destroy_dump };
static const struct state_type pipe_contents = { sizeof(struct pipe_contents), pipe_contents_done };

static struct pipe_dump *get_dump(const struct dump *d)
{
	struct pipe_dump *dump = state_get(d->states, &pipe_dump_state);

	if (!dump->ends)
		dump->ends = table_create();
	return dump;
}

static int note_end(const struct dump *d, const struct open_file *of)
{
	struct pipe_dump *dump = get_dump(d);
	struct pipe_ends *ends = table_find(dump->ends, of->stat.st_ino);
	int access = of->flags & O_ACCMODE;
	struct pollfd ask = { .fd = of->fd, .events = access == O_WRONLY ? POLLOUT : POLLIN };

	if (!ends) {
		ends = pool_new(d->pool, struct pipe_ends);
		*ends = (struct pipe_ends){
			.next = dump->first, .ino = of->stat.st_ino, .pid = of->task->vpid, .fd = of->task_fd
		};
		dump->first = ends;
		table_set(dump->ends, ends->ino, ends);
	}
	ends->reader |= access != O_WRONLY;
	ends->writer |= access != O_RDONLY;
	if (ends->reader && ends->writer)
		return 0;
	if (of->facts && of->facts->knows_pipe) {
		ends->peer = access == O_WRONLY ? of->facts->has_readers : of->facts->has_writers;
		return 0;
	}
	if (poll(&ask, 1, 0) < 0)
		return fail_errno("asking whether the pipe has a reader (poll)");
	ends->peer = !(ask.revents & (access == O_WRONLY ? POLLERR : POLLHUP));
	return 0;
}

static int dump_pipe(const struct dump *d, const struct open_file *of, FileEntry *out)
{
	PipeEntry *record = out->pipe;

	record->id = of->id;
	record->pipe_id = (uint32_t)of->stat.st_ino;
	record->flags = of->flags;
	record->fown = of->owner;
	return note_end(d, of);
}

static int drain_pipe(struct dump *d, const struct open_file *of)
{
	if ((of->flags & O_ACCMODE) == O_WRONLY)
		return 0;
	return pipe_dump_content(d, of, &get_dump(d)->copies, IMAGE_PIPES_DATA);
}

static int finish_pipes(const struct dump *d)
{
	struct pipe_dump *dump = get_dump(d);

	for (const struct pipe_ends *ends = dump->first; ends; ends = ends->next)
		if (ends->peer && ends->reader != ends->writer && !mount_dump_has_pipe(d, ends->ino))
			log_warn("pipe:[%lu] (task %d, descriptor %d) has its %s outside of the tree: restored, it "
				 "will have none, "
				 "unless --inherit-fd 'fd[N]:pipe:[%lu]' gives one",
				 ends->ino, ends->pid, ends->fd, ends->reader ? "writer" : "reader", ends->ino);
	return 0;
}

static int write_pipes(struct dump *d)
{
	return pipe_finish_content(&get_dump(d)->copies);
}

/* --- restore --- */

static int prepare_pipes(const struct restore *r)
{
	return pipe_load_content(r, state_get(r->states, &pipe_contents), IMAGE_PIPES_DATA);
}

static int load_pipe(const struct restore *r, struct file *f)
{
	const PipeEntry *record = f->entry->pipe;

	if ((record->flags & O_ACCMODE) == O_ACCMODE)
		return refuse(EINVAL, "files.img: flags 0%o make no sense", record->flags);
	f->data = pipe_join_group(r, state_get(r->states, &pipe_contents), record->pipe_id, f);
	return 0;
}

/* What pipe2(2) and fcntl(2) can set. More (O_LARGEFILE) comes from open(2) only. */
#define FLAGS_OF_PIPE2 (O_ACCMODE | O_NONBLOCK | O_DIRECT | O_ASYNC | O_APPEND | O_NOATIME)

/* Gives the file one of the two ends if it is still there and fits, else opens it again. */
static int make_opening(struct file *f, int ends[2], int any)
{
	const PipeEntry *record = f->entry->pipe;
	int access = record->flags & O_ACCMODE;

	if (access != O_RDWR && ends[access] >= 0 && !(record->flags & ~(uint32_t)FLAGS_OF_PIPE2)) {
		f->fd = TAKE_FD(ends[access]);
		return file_change_flags(f->fd, access, record->flags, record->fown);
	}
	TRY(pipe_reopen(any, record->flags, &f->fd));
	return file_apply_flags(f->fd, record->flags, record->fown);
}

static int make_openings(struct pipe_group *group, int ends[2])
{
	int any = ends[0]; /* stays open under this number, whoever owns it */

	for (size_t i = 0; i < group->n; i++)
		if (group->files[i]->users)
			TRY(make_opening(group->files[i], ends, any));
	return 0;
}

static int create_inherited(struct pipe_group *group, int fd)
{
	for (size_t i = 0; i < group->n; i++) {
		struct file *f = group->files[i];
		const PipeEntry *record = f->entry->pipe;

		if (!f->users)
			continue;
		if ((fcntl(fd, F_GETFL) & O_ACCMODE) == (int)(record->flags & O_ACCMODE)) {
			f->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
			if (f->fd < 0)
				return fail_errno("duplicating a descriptor");
		} else {
			TRY(pipe_reopen(fd, record->flags, &f->fd));
		}
	}
	return 0;
}

static int create_pipe(struct restore *r, struct file *f)
{
	struct pipe_group *group = f->data;
	AUTO_CLOSE int inherited = -1, reader = -1, writer = -1;
	char key[32];
	int found, ends[2], result;

	snprintf(key, sizeof(key), "pipe:[%u]", group->pipe_id);
	found = given_descriptor(r, key, &inherited);
	if (found != -ENOENT)
		return found < 0 ? found : create_inherited(group, inherited);
	if (pipe2(ends, O_CLOEXEC) < 0)
		return fail_errno("making a pipe");
	result = pipe_fill(state_get(r->states, &pipe_contents), group->pipe_id, ends[1]);
	if (result >= 0)
		result = make_openings(group, ends);
	if (result >= 0 && f->fd >= 0)
		result = file_set_inode_owner(r, f);
	reader = ends[0];
	writer = ends[1];
	return result;
}

static void inspect_pipe(const struct restore *r, const struct file *f, struct outline *to)
{
	const PipeEntry *entry = f->entry->pipe;

	outline_add_number(to, "inode", entry->pipe_id);
	outline_add_text(to, "end", "%s", (entry->flags & O_ACCMODE) == O_RDONLY ? "read" : "write");
}

const struct file_kind pipe_kind = {
	.name = "pipe",
	.type = FD_TYPES__PIPE,
	.entry = offsetof(FileEntry, pipe),
	.fs_magic = PIPEFS_MAGIC,
	.format = S_IFIFO,
	.is = is_open,
	.dump = dump_pipe,
	.drain = drain_pipe,
	.finish = finish_pipes,
	.write = write_pipes,
	.prepare = prepare_pipes,
	.load = load_pipe,
	.inspect = inspect_pipe,
	.create = create_pipe,
};
