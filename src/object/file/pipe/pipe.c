/* SPDX-License-Identifier: GPL-2.0-only */
/* Pipes: both ends, each maybe opened several times, with what is inside. */
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <poll.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/outline.h"
#include "base/log.h"
#include "base/pool.h"
#include "base/table.h"
#include "base/vector.h"
#include "object/file/pipe/pipe.h"
#include "object/file/pipe/content.h"
#include "object/mount/mount.h"
#include "session/given.h"

static bool is_open(const struct open_file *of)
{
	return !(of->flags & O_PATH);
}

/* There is nothing to be read, or it cannot be. */
static bool is_told(const struct dump *d, const struct open_file *of)
{
	const struct file_facts *facts = of->facts;

	return S_ISFIFO(facts->mode) && facts->knows_pipe &&
	       (facts->is_empty || (facts->flags & O_ACCMODE) == O_WRONLY);
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
	bool joined; /* only those have it who came into the pid namespace of the tree from outside */
	int pid, fd;
	VECTOR(PipeEntry *) writers;
};

static void destroy_dump(void *state)
{
	struct pipe_dump *dump = state;

	for (struct pipe_ends *ends = dump->first; ends; ends = ends->next)
		vector_done(&ends->writers);
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

static int note_end(const struct dump *d, const struct open_file *of, PipeEntry *record)
{
	struct pipe_dump *dump = get_dump(d);
	struct pipe_ends *ends = table_find(dump->ends, of->stat.st_ino);
	int access = of->flags & O_ACCMODE;
	struct pollfd ask = { .fd = of->fd, .events = access == O_WRONLY ? POLLOUT : POLLIN };

	if (!ends) {
		ends = pool_new(d->pool, struct pipe_ends);
		*ends = (struct pipe_ends){ .next = dump->first,
					    .ino = of->stat.st_ino,
					    .joined = true,
					    .pid = of->task->vpid,
					    .fd = of->task_fd };
		dump->first = ends;
		table_set(dump->ends, ends->ino, ends);
	}
	ends->joined &= task_is_of_joined(d->tree, of->task);
	*vector_push(&ends->writers) = record;
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
	return note_end(d, of, record);
}

static int drain_pipe(struct dump *d, const struct open_file *of)
{
	if ((of->flags & O_ACCMODE) == O_WRONLY)
		return 0;
	return pipe_dump_content(d, of, &get_dump(d)->copies, IMAGE_PIPES_DATA);
}

/*
 * Standard output of exec: the engine's client has it, which will not come back. With the engine itself a program
 * outlives its client, and what it writes is thrown away.
 */
static void abandon_pipe(struct pipe_ends *ends)
{
	for (size_t i = 0; i < ends->writers.n; i++)
		ends->writers.items[i]->has_abandoned = ends->writers.items[i]->abandoned = true;
	log_warn("pipe:[%lu] (task %d, descriptor %d) has its reader outside, with whoever put the task there (by "
		 "exec): "
		 "restored, what is written to it is thrown away (/dev/null), unless --inherit-fd 'fd[N]:pipe:[%lu]' "
		 "gives one",
		 ends->ino, ends->pid, ends->fd, ends->ino);
}

static int finish_pipes(const struct dump *d)
{
	struct pipe_dump *dump = get_dump(d);

	for (struct pipe_ends *ends = dump->first; ends; ends = ends->next)
		if (!ends->peer || ends->reader == ends->writer || mount_dump_has_pipe(d, ends->ino))
			continue;
		else if (ends->joined && ends->writer)
			abandon_pipe(ends);
		else
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

/* In the mount namespace of the tree. -ENOENT: it has none. */
static int open_null(const struct restore *r, const PipeEntry *record, int *ret_fd)
{
	struct open_how how = { .flags = O_WRONLY | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT };
	int root = mount_restore_root(r, 0);
	struct stat st;

	if (root < 0)
		how.resolve = 0;
	*ret_fd = (int)syscall(SYS_openat2, root < 0 ? AT_FDCWD : root, "/dev/null", &how, sizeof(how));
	if (*ret_fd < 0 || fstat(*ret_fd, &st) < 0 || !S_ISCHR(st.st_mode) || st.st_rdev != makedev(1, 3)) {
		auto_close(ret_fd);
		*ret_fd = -1;
		return -ENOENT;
	}
	return file_apply_flags(*ret_fd, record->flags & ~(uint32_t)O_DIRECT, record->fown);
}

static int create_abandoned(struct restore *r, struct pipe_group *group)
{
	for (size_t i = 0; i < group->n; i++) {
		int error =
			group->files[i]->users ? open_null(r, group->files[i]->entry->pipe, &group->files[i]->fd) : 0;

		if (error == -ENOENT)
			log_warn("there is no /dev/null for what is written to pipe:[%u]: it has no reader",
				 group->pipe_id);
		TRY(error);
	}
	return 0;
}

static bool is_abandoned(const struct pipe_group *group)
{
	for (size_t i = 0; i < group->n; i++) {
		const PipeEntry *record = group->files[i]->entry->pipe;

		if (!record->abandoned || (record->flags & O_ACCMODE) != O_WRONLY)
			return false;
	}
	return true;
}

static bool has_no_owner(const FownEntry *owner)
{
	return !owner || (!owner->signum && !owner->pid);
}

/* Nothing in it, and never resized: one with content, or a size, is filled by us. */
static bool twin_pipe(struct restore *r, struct file *f, struct file_twins *ret)
{
	const struct pipe_group *group = f->data;
	const PipeEntry *one, *other;

	if (group->n != 2 || is_abandoned(group) ||
	    pipe_has_content(state_get(r->states, &pipe_contents), group->pipe_id))
		return false;
	one = group->files[0]->entry->pipe;
	other = group->files[1]->entry->pipe;
	if ((one->flags ^ other->flags) != O_WRONLY || (one->flags & ~(uint32_t)(O_NONBLOCK | O_WRONLY)) ||
	    !has_no_owner(one->fown) || !has_no_owner(other->fown))
		return false;
	*ret = (struct file_twins){ .call = __NR_pipe2, .flags = (int)one->flags & O_NONBLOCK, .mode = 0600 };
	ret->ends[one->flags & O_WRONLY] = group->files[0];
	ret->ends[other->flags & O_WRONLY] = group->files[1];
	return true;
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
	if (is_abandoned(group)) {
		found = create_abandoned(r, group);
		if (found != -ENOENT)
			return found;
	}
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
	.is_told = is_told,
	.dump = dump_pipe,
	.drain = drain_pipe,
	.finish = finish_pipes,
	.write = write_pipes,
	.prepare = prepare_pipes,
	.load = load_pipe,
	.inspect = inspect_pipe,
	.twins = twin_pipe,
	.create = create_pipe,
};
