/* SPDX-License-Identifier: GPL-2.0-only */
/* Stores whose images are compressed or encrypted: how a file of blocks stands for an image. */
#include "image/blocks/store-blocks.h"

#include "encryption.pb-c.h"
#include "image/blocks/blocks-read.h"
#include "image/blocks/blocks-write.h"
#include "image/backend.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/io.h"
#include "base/pool.h"
#include "image/cipher.h"
#include "image/record.h"
#include "image/stream.h"

void store_compress(struct store *store, int codec, int level)
{
	store->in_blocks = true;
	store->format.codec = (enum codec)codec;
	store->format.level = level;
}

int store_encrypt(struct store *store, const char *const *certificates, size_t n)
{
	EncryptionEntry *record;

	TRY(cipher_create(certificates, n, store->pool, &store->cipher, &record));
	TRY(image_write_one(store, IMAGE_ENCRYPTION, record));
	store->in_blocks = true;
	store->format.cipher = store->cipher;
	return 0;
}

void store_decrypt_with(struct store *store, const char *private_key)
{
	store->private_key = private_key;
}

void store_borrow_key(struct store *store, const struct store *writer)
{
	store->lent = writer->cipher;
}

/* The key that others need first, and what lies in the work directory, is for everybody. */
bool store_wants_blocks(const struct store *store, enum image_id id)
{
	return store->in_blocks && id != IMAGE_ENCRYPTION && id != IMAGE_STATS_DUMP && id != IMAGE_STATS_RESTORE;
}

/* --- writing --- */

int store_make_temporary(struct image *image)
{
	image->temporary = true;
	image->fd = openat(image->store->dir, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (image->fd < 0) /* not all file systems can do that */
		image->fd = memfd_create(image->name, MFD_CLOEXEC);
	return image->fd < 0 ? fail_errno("%s: cannot make a temporary file", image->name) : 0;
}

int store_finish_temporary(struct image *image, int file)
{
	AUTO(block_writer_abandon) struct block_writer *writer = NULL;
	struct stat stat;

	if (fstat(image->fd, &stat) < 0)
		return fail_errno("%s: cannot examine a temporary file", image->name);
	TRY(block_writer_create(file, image->name, &image->store->format, &writer));
	TRY(block_writer_copy(writer, image->fd));
	return block_writer_finish(&writer, (uint64_t)stat.st_size);
}

int image_start_blocks(struct image *image, struct block_writer **ret)
{
	*ret = NULL;
	if (!image->store || !store_wants_blocks(image->store, image->id))
		return 0;
	image->in_blocks = true;
	TRY(image_start(image));
	TRY(block_writer_create(image->fd, image->name, &image->store->format, &image->writer));
	*ret = image->writer;
	return 0;
}

int image_finish_blocks(struct image *image, uint64_t size)
{
	return block_writer_finish(&image->writer, size);
}

/* --- reading --- */

static int find_cipher(void *arg, const struct cipher **ret)
{
	struct store *store = arg;
	EncryptionEntry *record;
	int error;

	*ret = store ? store->lent ?: store->cipher : NULL;
	if (*ret)
		return 0;
	if (!store || !store->private_key)
		return refuse(ENOKEY, "the images are encrypted: give the private key by --decrypt-with");
	error = image_read_one(store, IMAGE_ENCRYPTION, &record);
	if (error == -ENOENT)
		return refuse(ENOKEY, "the images are encrypted, but encryption.img, which has their key, is missing");
	TRY(error);
	TRY(cipher_open(record, store->private_key, &store->cipher));
	*ret = store->cipher;
	return 0;
}

int image_open_blocks(struct image *image)
{
	const struct block_source source = { image->fd, image->buffer, image->borrowed ? image->capacity : 0 };

	TRY(block_reader_open(&source, image->name, find_cipher, image->store, &image->blocks));
	/* A buffer that is the whole file stays the store's: what the blocks hold needs another one. */
	if (image->borrowed)
		image->buffer = NULL;
	if (image->borrowed)
		image->capacity = 0;
	image->borrowed = image->at_end = false;
	image->start = image->end = 0;
	image->at = 0;
	image->file_size = block_reader_size(image->blocks);
	return 0;
}

int image_probe_blocks(struct image *image)
{
	const struct block_source source = { image->fd, image->buffer, image->borrowed ? image->capacity : 0 };

	return block_source_has_magic(&source) ? image_open_blocks(image) : 0;
}

struct block_reader *image_get_blocks(const struct image *image)
{
	return image->blocks;
}

int image_unpack_blocks(struct image *image)
{
	AUTO_CLOSE int fd = memfd_create(image->name, MFD_CLOEXEC);
	AUTO_FREE void *buffer = xmalloc(BLOCK_SIZE);

	if (fd < 0)
		return fail_errno("%s: cannot make a memory file", image->name);
	for (uint64_t at = 0, size = block_reader_size(image->blocks); at < size; at += BLOCK_SIZE) {
		ssize_t got = block_reader_read(image->blocks, buffer, BLOCK_SIZE, at);
		int result;

		TRY(got);
		result = io_write(fd, buffer, (size_t)got);
		if (result < 0)
			return fail(-result, "%s: cannot write a memory file", image->name);
	}
	if (lseek(fd, (off_t)(image->at + image_waiting(image)), SEEK_SET) < 0)
		return fail_errno("%s: cannot use a memory file", image->name);
	if (!image->caller_fd && image->fd >= 0)
		close(image->fd);
	image->caller_fd = false;
	image->fd = TAKE_FD(fd);
	block_reader_close(&image->blocks);
	return 0;
}
