/* SPDX-License-Identifier: GPL-2.0-only */
/* What is in pipes and fifos: copied by tee(2), so that nothing is lost whatever happens to the dump. */
#include "object/file/pipe/content.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/log.h"
#include "base/page.h"
#include "base/pool.h"
#include "base/table.h"
#include "image/payload.h"
#include "image/record.h"
#include "object/file/pipe/pipe.h"
#include "pipe-data.pb-c.h"

#define PIPE_SIZE_DEFAULT 65536
#define PIPE_SIZE_MAX	  (1u << 31)

/* --- dump --- */

static void begin_copies(struct pipe_copies *copies)
{
	if (copies->done)
		return;
	copies->copy[0] = copies->copy[1] = -1;
	copies->done = table_create();
}

static int prepare_copy(struct pipe_copies *content, int size)
{
	if (content->copy[0] < 0 && pipe2(content->copy, O_CLOEXEC | O_NONBLOCK) < 0)
		return fail_errno("making a pipe");
	if (size <= content->copy_size)
		return 0;
	/* More than it holds, for the mark at the end; that much an ordinary user may not have. */
	if ((size > INT_MAX / 2 || fcntl(content->copy[1], F_SETPIPE_SZ, 2 * size) < 0) &&
	    fcntl(content->copy[1], F_SETPIPE_SZ, size) < 0)
		return fail_errno("making a pipe of %d bytes", size);
	content->bytes = xrealloc(content->bytes, (size_t)size + 1);
	content->copy_size = size;
	return 0;
}

/*
 * A read ends with a packet (O_DIRECT): each gets a record of its own. A mark of one byte is behind all of it: where
 * that is read as well, no packet ends in front of it.
 */
static int write_copy(struct pipe_copies *content, uint32_t pipe_id, int size, ssize_t left)
{
	const bool marked = write(content->copy[1], "", 1) == 1;
	bool has_packets = false;
	char end;

	while (left > 0) {
		PipeDataEntry record = PIPE_DATA_ENTRY__INIT;
		ssize_t got = read(content->copy[0], content->bytes, (size_t)content->copy_size + 1);

		if (got <= 0)
			return got < 0 ? fail_errno("reading the copy of its content")
				       : refuse(EIO, "its content is gone");
		record.packet = got < left || (got == left && (marked || has_packets));
		got -= got > left;
		has_packets |= record.packet;
		record.pipe_id = pipe_id;
		record.bytes = (uint32_t)got;
		record.has_size = true;
		record.size = (uint32_t)size;
		record.has_packet = has_packets;
		left -= got;
		if (left <= 0 && record.packet && marked && read(content->copy[0], &end, 1) != 1)
			return refuse(EIO, "its content is gone");
		TRY(image_write(content->image, &record));
		TRY(image_write_bytes(content->image, content->bytes, (size_t)got));
	}
	return 0;
}

static bool is_told_empty(const struct open_file *of)
{
	return of->facts && of->facts->knows_pipe && of->facts->is_empty;
}

int pipe_dump_content(struct dump *d, const struct open_file *of, struct pipe_copies *content, enum image_id id)
{
	PipeDataEntry record = PIPE_DATA_ENTRY__INIT;
	int size, inside = 0;
	ssize_t copied;

	begin_copies(content);
	if (table_set(content->done, of->stat.st_ino, content))
		return 0;
	if (!content->image)
		TRY(image_create(dump_store(d), &content->image, id));
	if (is_told_empty(of))
		size = (int)(of->facts->pages_max * page_size());
	else
		size = fcntl(of->fd, F_GETPIPE_SZ);
	if (size < 0 || (!is_told_empty(of) && ioctl(of->fd, FIONREAD, &inside) < 0))
		return fail_errno("asking how many bytes are in the pipe");
	if (!inside) {
		record.pipe_id = (uint32_t)of->stat.st_ino;
		record.has_size = true;
		record.size = (uint32_t)size;
		return image_write(content->image, &record);
	}
	TRY(prepare_copy(content, size));
	copied = tee(of->fd, content->copy[1], (size_t)size, SPLICE_F_NONBLOCK);
	if (copied < 0)
		return fail_errno("copying its content (tee)");
	if (copied != inside)
		return refuse(EIO, "%d bytes are inside, but only %zd could be copied", inside, copied);
	return write_copy(content, (uint32_t)of->stat.st_ino, size, copied);
}

int pipe_finish_content(struct pipe_copies *content)
{
	return content->image ? image_finish(&content->image) : 0;
}

void pipe_copies_done(void *copies)
{
	struct pipe_copies *content = copies;

	if (!content->done)
		return;
	image_close(&content->image);
	if (content->copy[0] >= 0) {
		close(content->copy[0]);
		close(content->copy[1]);
	}
	table_destroy(&content->done);
	free(content->bytes);
}

/* --- restore --- */

struct pipe_chunk {
	struct pipe_chunk *next;
	bool has_packet, packet;
	size_t size;
	char *bytes;
};

struct content {
	uint32_t size;
	size_t n_chunks;
	struct pipe_chunk *first, **last;
};

static void begin_contents(struct pipe_contents *set)
{
	if (set->contents)
		return;
	set->contents = table_create();
	set->groups = table_create();
}

static int load_chunk(const struct restore *r, struct image *image, const PipeDataEntry *record,
		      struct pipe_contents *set)
{
	struct content *content = table_find(set->contents, record->pipe_id);
	struct pipe_chunk *chunk;

	if (!content) {
		content = pool_new(r->pool, struct content);
		content->last = &content->first;
		table_set(set->contents, record->pipe_id, content);
	}
	if (record->has_size && record->size > PIPE_SIZE_MAX)
		return image_refuse(image, "no pipe can hold %u bytes", record->size);
	content->size = record->has_size ? record->size : 0;
	if (!record->bytes)
		return 0;
	chunk = pool_new(r->pool, struct pipe_chunk);
	chunk->has_packet = record->has_packet;
	chunk->packet = record->packet;
	TRY(image_read_payload(image, (void **)&chunk->bytes, &chunk->size));
	*content->last = chunk;
	content->last = &chunk->next;
	content->n_chunks++;
	return 0;
}

int pipe_load_content(const struct restore *r, struct pipe_contents *set, enum image_id id)
{
	AUTO(image_close) struct image *image = NULL;
	PipeDataEntry *record;
	int more = image_open(r->store, &image, id);

	begin_contents(set);
	if (more == -ENOENT)
		return 0;
	TRY(more);
	while ((more = image_read(image, &record)) > 0)
		TRY(load_chunk(r, image, record, set));
	return more;
}

struct pipe_group *pipe_join_group(const struct restore *r, struct pipe_contents *set, uint32_t pipe_id, struct file *f)
{
	struct pipe_group *group = table_find(set->groups, pipe_id);

	if (!group) {
		group = pool_new(r->pool, struct pipe_group);
		group->pipe_id = pipe_id;
		table_set(set->groups, pipe_id, group);
	}
	if (group->n == group->capacity) {
		struct file **old = group->files;

		group->capacity = group->capacity ? group->capacity * 2 : 2;
		group->files = pool_array(r->pool, struct file *, group->capacity);
		for (size_t i = 0; i < group->n; i++)
			group->files[i] = old[i];
	}
	group->files[group->n++] = f;
	return group;
}

/* Content that came in packets goes in so again. The pipe is new: nothing here may wait. */
static int write_chunks(const struct content *content, int fd)
{
	for (const struct pipe_chunk *chunk = content->first; chunk; chunk = chunk->next) {
		bool packet = chunk->has_packet ? chunk->packet : content->n_chunks > 1;
		int flags = O_NONBLOCK | (packet ? O_DIRECT : 0);
		ssize_t put;

		if (fcntl(fd, F_SETFL, flags) < 0)
			return fail_errno("setting flags 0%o", flags);
		put = write(fd, chunk->bytes, chunk->size);
		if (put < 0)
			return fail_errno("writing %zu bytes into it", chunk->size);
		if ((size_t)put != chunk->size)
			return refuse(ENOSPC, "only %zd of the %zu bytes that were inside fit into it", put,
				      chunk->size);
	}
	return 0;
}

bool pipe_has_content(const struct pipe_contents *set, uint32_t pipe_id)
{
	const struct content *content = table_find(set->contents, pipe_id);

	return content && (content->first || (content->size && content->size != PIPE_SIZE_DEFAULT));
}

int pipe_fill(const struct pipe_contents *set, uint32_t pipe_id, int fd)
{
	const struct content *content = table_find(set->contents, pipe_id);
	int old;

	if (!content)
		return 0;
	if (content->size && content->size != PIPE_SIZE_DEFAULT && fcntl(fd, F_SETPIPE_SZ, (int)content->size) < 0)
		return fail_errno("setting its capacity to %u bytes", content->size);
	if (!content->first)
		return 0;
	old = fcntl(fd, F_GETFL);
	if (old < 0)
		return fail_errno("reading its flags");
	TRY(write_chunks(content, fd));
	return fcntl(fd, F_SETFL, old) < 0 ? fail_errno("setting its flags") : 0;
}

int pipe_reopen(int fd, uint32_t flags, int *ret_fd)
{
	char name[32];

	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	*ret_fd = open(name, (int)(flags & (O_ACCMODE | O_NONBLOCK | O_DIRECT)) | O_CLOEXEC);
	return *ret_fd < 0 ? fail_errno("opening it once more with flags 0%o", flags) : 0;
}

void pipe_contents_done(void *contents)
{
	struct pipe_contents *set = contents;

	table_destroy(&set->contents);
	table_destroy(&set->groups);
}
