/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Fuzz target: reading, checking and linking a whole directory of images, all that a restore does before the first task
 * exists. Whatever the images say, it ends with success or with a failure that names a cause.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/log.h"
#include "base/outline.h"
#include "base/pool.h"
#include "flow/inspect.h"
#include "flow/restore/load.h"
#include "image/store-memory.h"
#include "object/file/file-restore.h"
#include "object/file/file.h"
#include "object/memory/shared.h"
#include "object/namespace/restore.h"
#include "session/inspection.h"
#include "session/needs.h"
#include "session/session.h"

#define FILES_MAX  256
#define PAGES_MAX  8	       /* pages images that the fixtures have */
#define PAGES_SIZE (224 << 10) /* enough for all but one of them */

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t room, unsigned seed);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t room);

static struct options options;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	options_init(&options);
	/* What the fixtures need to be accepted. */
	options.tcp_established = options.file_locks = options.shell_job = true;
	return log_open(getenv("LINK_FUZZ_LOG") ?: "/dev/null"); /* a full path, to see what an input leads to */
}

static void must(bool truth, const char *what)
{
	if (truth)
		return;
	log_flush();
	fprintf(stderr, "broken promise: %s\n", what);
	abort();
}

/* The lowest free number: it rises with every descriptor that is left open. */
static int lowest_free_fd(void)
{
	int fd = dup(0);

	close(fd);
	return fd;
}

/* The inputs have none: what is in them means nothing for what is tested here. */
static void add_pages(struct store *store)
{
	static const char pages[PAGES_SIZE];

	for (unsigned i = 1; i <= PAGES_MAX; i++) {
		char name[32];
		size_t size;

		snprintf(name, sizeof(name), "pages-%u.img", i);
		if (!store_find_file(store, name, &size))
			store_add_file(store, name, pages, sizeof(pages));
	}
}

/* As a restore does, or as criu verify does, which goes on after failures and asks for what is needed. */
static void load(const uint8_t *data, size_t size, bool verify)
{
	struct needs needs = { .other_paths = true, .other_addresses = true };
	struct pool *pool = pool_create();
	struct inspection inspection = { .all = outline_create(pool) };
	struct restore r = { .needs = verify ? &needs : NULL, .inspection = &inspection };
	int before = lowest_free_fd(), result;

	failure_reset();
	restore_session_begin(&r, &options);
	r.store = store_load_archive(data, size);
	add_pages(r.store);
	result = restore_load(&r);
	must(result == 0 || failure_error(), "a failure has a cause");
	if (verify && result == 0)
		(void)file_restore_needs(&r);
	if (verify && result == 0)
		(void)inspect_tasks(&r);
	vector_done(&needs.list);
	file_restore_clean(&r);
	memory_restore_clean(&r);
	namespaces_restore_clean(&r);
	restore_session_end(&r);
	pool_destroy(&pool);
	must(lowest_free_fd() == before, "no descriptor is left open");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	load(data, size, false);
	load(data, size, true);
	return 0;
}

/* --- changing an archive without breaking its frame --- */

struct span {
	size_t at, size;
};

/* The files of the archive: where their size stands, and how long their content is. */
static size_t find_files(const uint8_t *data, size_t size, struct span *files)
{
	size_t n = 0, at = 0;

	while (n < FILES_MAX && at + 1 < size) {
		size_t content = at + 1 + data[at] + 4;
		uint32_t told;

		if (content > size)
			break;
		memcpy(&told, data + content - 4, 4);
		if (told > size - content)
			break;
		files[n++] = (struct span){ content, told };
		at = content + told;
	}
	return n;
}

/* A record of the image, or the whole content if it has none. */
static struct span choose_record(const uint8_t *data, struct span file, unsigned *seed)
{
	size_t at = file.at + 8, end = file.at + file.size;
	struct span chosen = file;

	for (unsigned n = 1; at + 4 <= end; n++) {
		uint32_t told;

		memcpy(&told, data + at, 4);
		if (told > end - at - 4)
			break;
		if (rand_r(seed) % (int)n == 0)
			chosen = (struct span){ at + 4, told };
		at += 4 + told;
	}
	return chosen;
}

static void add_to_size(uint8_t *at, int64_t change)
{
	uint32_t told;

	memcpy(&told, at, 4);
	told += (uint32_t)change;
	memcpy(at, &told, 4);
}

/* Gives a span other bytes; what follows moves, the sizes before the record and the file are told the truth. */
static size_t replace(uint8_t *data, size_t size, struct span file, struct span part, const uint8_t *with, size_t n)
{
	memmove(data + part.at + n, data + part.at + part.size, size - part.at - part.size);
	memcpy(data + part.at, with, n);
	add_to_size(data + file.at - 4, (int64_t)n - (int64_t)part.size);
	if (part.at != file.at)
		add_to_size(data + part.at - 4, (int64_t)n - (int64_t)part.size);
	return size + n - part.size;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t room, unsigned seed)
{
	struct span files[FILES_MAX], file, part, other;
	size_t n = find_files(data, size, files), bytes;
	uint8_t *copy;

	if (!n || rand_r(&seed) % 50 == 0)
		return LLVMFuzzerMutate(data, size, room);
	file = part = files[(size_t)rand_r(&seed) % n];
	if (rand_r(&seed) % 8)
		part = choose_record(data, file, &seed);
	copy = malloc(room + 1);
	bytes = part.size;
	memcpy(copy, data + part.at, part.size);
	if (rand_r(&seed) % 10 == 0) {
		/* A record from elsewhere. */
		other = choose_record(data, files[(size_t)rand_r(&seed) % n], &seed);
		bytes = other.size;
		memcpy(copy, data + other.at, other.size);
	} else if (rand_r(&seed) % 30 == 0) {
		bytes = 0;
	} else {
		bytes = LLVMFuzzerMutate(copy, part.size, part.size + (room - size));
	}
	if (size - part.size + bytes <= room)
		size = replace(data, size, file, part, copy, bytes);
	free(copy);
	return size;
}
