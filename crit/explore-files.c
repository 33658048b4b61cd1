/* SPDX-License-Identifier: GPL-2.0-only */
/* crit x DIR fds: what each descriptor of each task is. */
#include "crit/explore.h"

#include <errno.h>
#include <string.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/pool.h"
#include "base/table.h"
#include "crit/text.h"
#include "image/image.h"
#include "image/record.h"
#include "image/store.h"

#include "fs.pb-c.h"

static int load_current(struct checkpoint *checkpoint)
{
	AUTO(image_close) struct image *image = NULL;
	FileEntry *file;
	int more;

	TRY(image_open(checkpoint->store, &image, IMAGE_FILES));
	while ((more = image_read(image, &file)) > 0)
		table_set(checkpoint->files, file->id, file);
	return more;
}

/* The kinds of older images that a report says more about than their number. */
static void wrap_older(enum image_id id, void *record, FileEntry *file)
{
	if (id == IMAGE_REG_FILES) {
		file->reg = record;
		file->id = file->reg->id;
	} else if (id == IMAGE_PIPES) {
		file->pipe = record;
		file->id = file->pipe->id;
	} else {
		file->usk = record;
		file->id = file->usk->id;
	}
}

static int load_older(struct checkpoint *checkpoint, enum image_id id)
{
	AUTO(image_close) struct image *image = NULL;
	void *record;
	int more = image_open(checkpoint->store, &image, id);

	if (more == -ENOENT)
		return 0;
	TRY(more);
	while ((more = image_read(image, &record)) > 0) {
		FileEntry *file = pool_new(store_get_pool(checkpoint->store), FileEntry);

		file_entry__init(file);
		wrap_older(id, record, file);
		table_set(checkpoint->files, file->id, file);
	}
	return more;
}

int checkpoint_load_files(struct checkpoint *checkpoint)
{
	int error = load_current(checkpoint);

	if (error != -ENOENT)
		return error;
	TRY(load_older(checkpoint, IMAGE_REG_FILES));
	TRY(load_older(checkpoint, IMAGE_PIPES));
	return load_older(checkpoint, IMAGE_UNIXSK);
}

const char *checkpoint_find_path(const struct checkpoint *checkpoint, uint64_t file_id)
{
	const FileEntry *file = table_find(checkpoint->files, file_id);

	return file && file->reg ? file->reg->name : "unknown path";
}

static void print_unix(const UnixSkEntry *socket, struct buffer *out)
{
	buffer_printf(out, "unix[%u (%u)", socket->ino, socket->peer);
	if (socket->name.len) {
		buffer_append(out, " ", 1);
		quoted_printable_encode(out, socket->name.data, socket->name.len);
	}
	buffer_printf(out, "]\n");
}

static void print_file(const struct checkpoint *checkpoint, const FdinfoEntry *descriptor, struct buffer *out)
{
	const FileEntry *file = table_find(checkpoint->files, descriptor->id);
	const ProtobufCEnumValue *type =
		protobuf_c_enum_descriptor_get_value(&fd_types__descriptor, (int)descriptor->type);

	if (descriptor->type == FD_TYPES__REG)
		buffer_printf(out, "%s\n", checkpoint_find_path(checkpoint, descriptor->id));
	else if (descriptor->type == FD_TYPES__PIPE && file && file->pipe)
		buffer_printf(out, "pipe[%u]\n", file->pipe->pipe_id);
	else if (descriptor->type == FD_TYPES__UNIXSK && file && file->usk)
		print_unix(file->usk, out);
	else
		buffer_printf(out, "%s.%u\n", type ? type->name : "?", descriptor->id);
}

static int print_table(const struct checkpoint *checkpoint, uint32_t files_id, struct buffer *out)
{
	AUTO(image_close) struct image *image = NULL;
	FdinfoEntry *descriptor;
	int more = image_open(checkpoint->store, &image, IMAGE_FDINFO, files_id);

	if (more == -ENOENT)
		return 0;
	TRY(more);
	while ((more = image_read(image, &descriptor)) > 0) {
		buffer_printf(out, "\t%7u: ", descriptor->fd);
		print_file(checkpoint, descriptor, out);
	}
	return more;
}

/* The table of a task; images from before ids-PID.img hold the ids in the core. */
int checkpoint_find_table(const struct checkpoint *checkpoint, const struct crit_task *task, uint32_t *ret)
{
	TaskKobjIdsEntry *ids;
	int error = image_read_one(checkpoint->store, IMAGE_IDS, &ids, task->entry->pid);

	if (error == -ENOENT && task->core->ids)
		ids = task->core->ids;
	else if (error == -ENOENT)
		return refuse(ENOENT, "ids-%u.img is missing", task->entry->pid);
	else
		TRY(error);
	*ret = ids->files_id;
	return 0;
}

int explore_files(const struct checkpoint *checkpoint, const struct crit_task *task, struct buffer *out)
{
	uint32_t files_id = 0;
	FsEntry *fs;
	int error;

	TRY(checkpoint_find_table(checkpoint, task, &files_id));
	TRY(print_table(checkpoint, files_id, out));
	error = image_read_one(checkpoint->store, IMAGE_FS, &fs, task->entry->pid);
	if (error == -ENOENT)
		return 0;
	TRY(error);
	buffer_printf(out, "\t%7s: %s\n", "cwd", checkpoint_find_path(checkpoint, fs->cwd_id));
	buffer_printf(out, "\t%7s: %s\n", "root", checkpoint_find_path(checkpoint, fs->root_id));
	return 0;
}
