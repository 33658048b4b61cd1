/* SPDX-License-Identifier: GPL-2.0-only */
/* criu inspect: the files of a task. */
#include "object/file/inspect.h"

#include <fcntl.h>

#include "base/outline.h"
#include "object/file/descriptors-restore.h"
#include "object/file/file-state.h"
#include "session/inspection.h"

static const char *path_of(const struct restore *r, uint32_t id)
{
	const struct file *f = file_find(r, id);

	return f && f->entry->reg ? f->entry->reg->name : NULL;
}

static void inspect_path(const struct restore *r, const char *name, uint32_t id)
{
	const char *path = path_of(r, id);

	if (path)
		outline_add_text(r->inspection->task, name, "%s", path);
}

static void inspect_descriptor(const struct restore *r, const FdinfoEntry *entry, const struct file *f,
			       struct outline *to)
{
	struct outline *one = outline_add_group(to, NULL);

	outline_add_number(one, "number", entry->fd);
	outline_add_text(one, "kind", "%s", f->kind->describe ? f->kind->describe(f, r->pool) : f->kind->name);
	if (f->entry->reg)
		outline_add_text(one, "path", "%s", f->entry->reg->name);
	if (f->entry->reg && f->entry->reg->pos)
		outline_add_number(one, "position", (int64_t)f->entry->reg->pos);
	if (f->kind->inspect)
		f->kind->inspect(r, f, one);
	if (entry->flags & FD_CLOEXEC)
		outline_add_text(one, "closed", "by exec");
}

int file_restore_inspect(const struct restore *r, struct task *task)
{
	const FsEntry *directories = file_directories_of(task);
	const struct descriptor_table *table;
	struct outline *list;

	if (!task_is_live(task))
		return 0;
	if (task->mm)
		inspect_path(r, "program", task->mm->exe_file_id);
	if (directories) {
		inspect_path(r, "directory", directories->cwd_id);
		inspect_path(r, "root", directories->root_id);
	}
	table = file_table_of(r, task);
	list = outline_add_list(r->inspection->task, "descriptors");
	for (size_t i = 0; table && i < table->n; i++)
		inspect_descriptor(r, table->entries[i], table->files[i], list);
	return 0;
}
