/* SPDX-License-Identifier: GPL-2.0-only */
/* criu inspect: the memory of a task, and what it was started with. */
#include "object/memory/inspect.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/array.h"
#include "base/auto.h"
#include "base/fail.h"
#include "base/outline.h"
#include "object/file/file.h"
#include "object/memory/mappings-restore.h"
#include "object/memory/memory.h"
#include "pages/reader.h"
#include "session/inspection.h"
#include "session/survey.h"

#define TEXT_MAX (1 << 20) /* of arguments or environment; the kernel allows more, no page wants it */

static const char *kind_of(const VmaEntry *vma)
{
	static const struct {
		uint32_t bits;
		const char *text;
	} kinds[] = {
		{ VMA_HEAP, "heap" },
		{ VMA_STACK, "stack" },
		{ VMA_VDSO, "vdso" },
		{ VMA_VVAR, "vvar" },
		{ VMA_VSYSCALL, "vsyscall" },
		{ VMA_SHSTK, "shadow stack" },
		{ VMA_AIORING, "AIO ring" },
		{ VMA_SYSVIPC, "System V shared memory" },
		{ VMA_SOCKET, "socket" },
		{ VMA_MEMFD, "shared memory" },
		{ VMA_EXT_PLUGIN, "of a plugin" },
		{ VMA_FILE_SHARED, "file, shared" },
		{ VMA_FILE_PRIVATE, "file, private" },
		{ VMA_ANON_SHARED, "anonymous, shared" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (vma->status & kinds[i].bits)
			return kinds[i].text;
	return "anonymous";
}

static void inspect_mapping(const struct memory_mapping *mapping, struct outline *to)
{
	const VmaEntry *vma = mapping->vma;
	struct outline *one = outline_add_group(to, NULL);

	outline_add_text(one, "range", "%012llx-%012llx", (unsigned long long)vma->start, (unsigned long long)vma->end);
	outline_add_text(one, "access", "%c%c%c", vma->prot & PROT_READ ? 'r' : '-', vma->prot & PROT_WRITE ? 'w' : '-',
			 vma->prot & PROT_EXEC ? 'x' : '-');
	outline_add_size(one, "size", vma->end - vma->start);
	outline_add_text(one, "kind", "%s", kind_of(vma));
	if (mapping->file && mapping->file->entry->reg)
		outline_add_text(one, "path", "%s", mapping->file->entry->reg->name);
}

/* What is stored of a range of a task's memory; the rest of it stays zero. */
static int read_stored(const struct page_reader *reader, uint64_t start, uint64_t end, char *to)
{
	for (size_t i = 0; i < reader->n; i++) {
		const struct stored_range *stored = &reader->ranges[i];
		uint64_t first = stored->start > start ? stored->start : start;
		uint64_t last = stored->start + stored->size < end ? stored->start + stored->size : end;

		if (first < last && stored->file)
			TRY(pages_file_read(stored->file, to + (first - start), last - first,
					    stored->offset + (first - stored->start)));
	}
	return 0;
}

/* Strings that the kernel has put one behind the other. */
static int inspect_strings(const struct restore *r, const struct page_reader *reader, const char *name, uint64_t start,
			   uint64_t end)
{
	struct outline *list = outline_add_list(r->inspection->task, name);
	AUTO_FREE char *text = NULL;

	if (start >= end || end - start > TEXT_MAX)
		return 0;
	text = calloc(1, end - start + 1);
	if (!text)
		return fail(ENOMEM, "no memory for %s", name);
	TRY(read_stored(reader, start, end, text));
	for (const char *one = text; one < text + (end - start); one += strlen(one) + 1)
		if (*one)
			outline_add_text(list, NULL, "%s", one);
	return 0;
}

static int inspect_start(const struct restore *r, const struct task *task)
{
	AUTO(page_reader_close) struct page_reader *reader = NULL;
	int result = page_reader_open(r->store, IMAGE_PAGEMAP, (uint64_t)task->vpid, &reader);

	if (result == -ENOENT) /* it shares the memory of another */
		return 0;
	TRY(result);
	TRY(inspect_strings(r, reader, "arguments", task->mm->mm_arg_start, task->mm->mm_arg_end));
	return inspect_strings(r, reader, "environment", task->mm->mm_env_start, task->mm->mm_env_end);
}

int memory_restore_inspect(const struct restore *r, struct task *task)
{
	const struct memory_restore *memory = memory_restore_of(task);
	struct outline *list;

	if (!task_is_live(task) || !task->mm || !memory)
		return 0;
	TRY(restore_go_on(r, inspect_start(r, task)));
	outline_add_size(r->inspection->task, "saved memory", memory_size_of(task));
	list = outline_add_list(r->inspection->task, "mappings");
	for (size_t i = 0; i < memory->n; i++)
		inspect_mapping(&memory->mappings[i], list);
	return 0;
}
