/* SPDX-License-Identifier: GPL-2.0-only */
/* A store in memory: a directory of images that never was one. For tests, fuzzers and tools. */
#include "image/store-memory.h"

#include "image/backend.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/io.h"
#include "base/pool.h"
#include "base/text.h"
#include "base/vector.h"
#include "image/store.h"

#define PARENT_FOLDER "parent/"

struct memory_file {
	char *name;
	unsigned char *data;
	size_t size;
};

struct memory_store {
	struct store store;
	VECTOR(struct memory_file) files;
};

static struct memory_file *find_file(const struct store *store, const char *name)
{
	const struct memory_store *memory = (const struct memory_store *)store;

	for (size_t i = 0; i < memory->files.n; i++) {
		if (strcmp(memory->files.items[i].name, name) == 0)
			return &memory->files.items[i];
	}
	return NULL;
}

/* Takes over the data. */
static void put_file(struct store *store, const char *name, unsigned char *data, size_t size)
{
	struct memory_store *memory = (struct memory_store *)store;
	struct memory_file *file = find_file(store, name);

	if (file) {
		free(file->data);
	} else {
		file = vector_push(&memory->files);
		file->name = xstrdup(name);
	}
	file->data = data;
	file->size = size;
}

void store_add_file(struct store *store, const char *name, const void *data, size_t size)
{
	unsigned char *copy = xmalloc(size + 1);

	if (size)
		memcpy(copy, data, size);
	put_file(store, name, copy, size);
}

const void *store_find_file(const struct store *store, const char *name, size_t *ret_size)
{
	const struct memory_file *file = find_file(store, name);

	if (!file)
		return NULL;
	*ret_size = file->size;
	return file->data;
}

static int memory_open(struct store *store, struct image *image)
{
	const struct memory_file *file = find_file(store, image->name);

	if (!file)
		return -ENOENT;
	image->buffer = file->data;
	image->end = image->capacity = file->size;
	image->borrowed = image->at_end = true;
	return 0;
}

static int memory_create(struct store *store, struct image *image)
{
	return 0;
}

/* Somebody asked for a descriptor: the content is there. */
static int take_back(struct store *store, struct image *image)
{
	off_t size = lseek(image->fd, 0, SEEK_END);
	unsigned char *data;
	ssize_t got;

	if (size < 0)
		return fail_errno("%s: cannot tell its size", image->name);
	data = xmalloc((size_t)size + 1);
	got = io_pread(image->fd, data, (size_t)size, 0);
	if (got != size) {
		free(data);
		return fail(got < 0 ? (int)-got : EIO, "%s: cannot read back", image->name);
	}
	put_file(store, image->name, data, (size_t)size);
	return 0;
}

static int memory_finish(struct store *store, struct image *image)
{
	if (image->fd >= 0)
		return take_back(store, image);
	put_file(store, image->name, image->buffer ?: xmalloc(1), image->end);
	image->buffer = NULL;
	return 0;
}

static int memory_remove(struct store *store, const char *name)
{
	struct memory_store *memory = (struct memory_store *)store;
	struct memory_file *file = find_file(store, name);

	if (!file)
		return 0;
	free(file->name);
	free(file->data);
	*file = memory->files.items[--memory->files.n];
	return 0;
}

/* The parent holds all files whose names begin with "parent/". */
static int memory_open_parent(struct store *store, struct store **ret)
{
	struct memory_store *memory = (struct memory_store *)store;
	struct store *parent = NULL;

	for (size_t i = 0; i < memory->files.n; i++) {
		const struct memory_file *file = &memory->files.items[i];
		const char *name = text_after(file->name, PARENT_FOLDER);

		if (!name)
			continue;
		if (!parent)
			parent = store_create_memory();
		store_add_file(parent, name, file->data, file->size);
	}
	if (!parent)
		return -ENOENT;
	*ret = parent;
	return 0;
}

static int compare_files(const void *a, const void *b)
{
	return strcmp(((const struct memory_file *)a)->name, ((const struct memory_file *)b)->name);
}

static int memory_list(struct store *store, int (*visit)(void *arg, const char *name), void *arg)
{
	struct memory_store *memory = (struct memory_store *)store;
	int error = 0;

	if (memory->files.n)
		qsort(memory->files.items, memory->files.n, sizeof(*memory->files.items), compare_files);
	for (size_t i = 0; i < memory->files.n && !error; i++) {
		if (!text_starts(memory->files.items[i].name, PARENT_FOLDER))
			error = visit(arg, memory->files.items[i].name);
	}
	return error;
}

static void memory_close(struct store *store)
{
	struct memory_store *memory = (struct memory_store *)store;

	for (size_t i = 0; i < memory->files.n; i++) {
		free(memory->files.items[i].name);
		free(memory->files.items[i].data);
	}
	vector_done(&memory->files);
}

static const struct store_ops memory_ops = {
	.open = memory_open,
	.create = memory_create,
	.finish = memory_finish,
	.remove = memory_remove,
	.open_parent = memory_open_parent,
	.list = memory_list,
	.close = memory_close,
};

struct store *store_create_memory(void)
{
	struct store *store = store_create(&memory_ops, sizeof(struct memory_store));

	store->for_writing = true;
	return store;
}

struct store *store_load_archive(const void *data, size_t size)
{
	struct store *store = store_create_memory();
	const unsigned char *at = data, *end = at + size;

	while (at < end) {
		size_t length = *at++, content;
		uint32_t told;
		char name[256];

		if (length > (size_t)(end - at))
			break;
		memcpy(name, at, length);
		name[length] = '\0';
		at += length;
		if ((size_t)(end - at) < sizeof(told))
			break;
		memcpy(&told, at, sizeof(told));
		at += sizeof(told);
		content = told < (size_t)(end - at) ? told : (size_t)(end - at);
		store_add_file(store, name, at, content);
		at += content;
	}
	return store;
}
