/* SPDX-License-Identifier: GPL-2.0-only */
/* Checksums of all images of a directory, in both directions. */
#include "image/checksums.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/io.h"
#include "base/pool.h"
#include "base/vector.h"
#include "base/workers.h"
#include "checksum.pb-c.h"
#include "image/codec.h"
#include "image/image.h"
#include "image/record.h"
#include "image/store.h"
#include "image/table.h"

#define PIECE (1u << 20)

struct summed_file {
	int fd;
	ChecksumEntry entry;
};

struct summed_piece {
	size_t file, number; /* in the file */
};

struct summing {
	struct store *store;
	VECTOR(struct summed_file) files;
	VECTOR(struct summed_piece) pieces;
	void **buffers; /* one for each worker */
};

static size_t count_pieces(uint64_t size)
{
	return (size + PIECE - 1) / PIECE;
}

static int open_file(struct summing *summing, const char *name)
{
	AUTO_CLOSE int fd = openat(store_get_dir(summing->store), name, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
	struct pool *pool = store_get_pool(summing->store);
	struct summed_file *file;
	struct stat stat;

	if (fd < 0 || fstat(fd, &stat) < 0)
		return errno == ENOENT ? -ENOENT : fail_errno("%s: cannot be opened for its checksum", name);
	if (!S_ISREG(stat.st_mode))
		return refuse(EINVAL, "%s is no regular file: it cannot be an image", name);
	file = vector_push(&summing->files);
	file->fd = TAKE_FD(fd);
	checksum_entry__init(&file->entry);
	file->entry.name = pool_string(pool, name);
	file->entry.size = (uint64_t)stat.st_size;
	file->entry.n_sums = count_pieces(file->entry.size);
	file->entry.sums = pool_array(pool, uint64_t, file->entry.n_sums + 1);
	for (size_t i = 0; i < file->entry.n_sums; i++)
		*vector_push(&summing->pieces) = (struct summed_piece){ summing->files.n - 1, i };
	return 0;
}

static bool is_summed(enum image_id id)
{
	return id != IMAGE_INVENTORY && id != IMAGE_CHECKSUMS && id != IMAGE_STATS_DUMP && id != IMAGE_STATS_RESTORE &&
	       id != IMAGE_IRMAP_CACHE;
}

static int visit_file(void *arg, const char *name)
{
	enum image_id id;
	uint64_t number;

	return image_parse_name(name, &id, &number) == 0 && is_summed(id) ? open_file(arg, name) : 0;
}

static int sum_piece(void *arg, size_t item, unsigned worker)
{
	struct summing *summing = arg;
	const struct summed_piece *piece = &summing->pieces.items[item];
	struct summed_file *file = &summing->files.items[piece->file];
	ssize_t got = io_pread(file->fd, summing->buffers[worker], PIECE, (off_t)piece->number * PIECE);

	if (got < 0)
		return fail((int)-got, "%s: cannot be read for its checksum", file->entry.name);
	file->entry.sums[piece->number] = checksum_of(summing->buffers[worker], (size_t)got, piece->number);
	return 0;
}

static int sum_all(struct summing *summing, struct workers *workers)
{
	const unsigned n = workers_count(workers);
	int result;

	summing->buffers = xzalloc(n * sizeof(void *));
	for (unsigned i = 0; i < n; i++)
		summing->buffers[i] = xmalloc(PIECE);
	result = workers_run(workers, summing->pieces.n, sum_piece, summing);
	for (unsigned i = 0; i < n; i++)
		free(summing->buffers[i]);
	free(summing->buffers);
	return result;
}

static void done_summing(struct summing *summing)
{
	for (size_t i = 0; i < summing->files.n; i++)
		close(summing->files.items[i].fd);
	vector_done(&summing->files);
	vector_done(&summing->pieces);
}

/* --- writing --- */

static int write_inventory_sum(struct image *image, const char *data, size_t size)
{
	ChecksumEntry entry = CHECKSUM_ENTRY__INIT;
	AUTO_FREE uint64_t *sums = xmalloc((count_pieces(size) + 1) * sizeof(*sums));

	for (size_t at = 0; at < size; at += PIECE)
		sums[at / PIECE] = checksum_of(data + at, size - at < PIECE ? size - at : PIECE, at / PIECE);
	entry.name = (char *)image_kind(IMAGE_INVENTORY)->file;
	entry.size = size;
	entry.n_sums = count_pieces(size);
	entry.sums = sums;
	return image_write(image, &entry);
}

int checksums_write(struct store *store, struct workers *workers, const void *inventory, size_t inventory_size)
{
	AUTO(done_summing) struct summing summing = { .store = store };
	AUTO(image_close) struct image *image = NULL;

	TRY(store_list(store, visit_file, &summing));
	TRY(sum_all(&summing, workers));
	TRY(image_create(store, &image, IMAGE_CHECKSUMS));
	for (size_t i = 0; i < summing.files.n; i++)
		TRY(image_write(image, &summing.files.items[i].entry));
	TRY(write_inventory_sum(image, inventory, inventory_size));
	return image_finish(&image);
}

int checksums_remove(struct store *store)
{
	AUTO(image_close) struct image *image = NULL;

	/* An image that nothing was written to is removed. */
	TRY(image_create(store, &image, IMAGE_CHECKSUMS));
	return image_finish(&image);
}

/* --- checking --- */

static int compare_file(const ChecksumEntry *said, const ChecksumEntry *found)
{
	if (said->size != found->size)
		return refuse(EINVAL, "%s: damaged: has %" PRIu64 " bytes instead of %" PRIu64, said->name, found->size,
			      said->size);
	for (size_t i = 0; i < found->n_sums; i++)
		if (i >= said->n_sums || said->sums[i] != found->sums[i])
			return refuse(EINVAL, "%s: damaged: the checksum of its MiB %zu is wrong", said->name, i);
	return 0;
}

/* What checksums.img says of the files that are there, in the order of summing->files. */
struct said_sums {
	VECTOR(ChecksumEntry *) list;
};

static int read_sums(struct summing *summing, struct said_sums *said)
{
	AUTO(image_close) struct image *image = NULL;
	ChecksumEntry *entry;
	int more, first = 0;

	more = image_open(summing->store, &image, IMAGE_CHECKSUMS);
	if (more == -ENOENT)
		return 0; /* made without */
	TRY(more);
	while ((more = image_read(image, &entry)) > 0) {
		int error = strchr(entry->name, '/') ? -ENOENT : open_file(summing, entry->name);

		if (error == 0)
			*vector_push(&said->list) = entry;
		else if (error == -ENOENT)
			error = refuse(ENOENT, "%s is missing: it was there when the checkpoint was made", entry->name);
		first = first ?: error;
	}
	return more < 0 ? more : first;
}

int checksums_check(struct store *store, struct workers *workers)
{
	AUTO(done_summing) struct summing summing = { .store = store };
	struct said_sums said = { 0 };
	int first = read_sums(&summing, &said), error = sum_all(&summing, workers);

	first = first ?: error;
	for (size_t i = 0; i < said.list.n && error == 0; i++) {
		int differs = compare_file(said.list.items[i], &summing.files.items[i].entry);

		first = first ?: differs;
	}
	vector_done(&said.list);
	return first;
}
