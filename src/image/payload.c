/* SPDX-License-Identifier: GPL-2.0-only */
/* Payload: how many bytes follow a record, and moving them. */
#include "image/payload.h"

#include "image/backend.h"

#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "base/array.h"
#include "base/fail.h"
#include "base/io.h"
#include "base/pool.h"

#include "bpfmap-data.pb-c.h"
#include "ghost-file.pb-c.h"
#include "image/stream.h"
#include "ipc-msg.pb-c.h"
#include "ipc-sem.pb-c.h"
#include "ipc-shm.pb-c.h"
#include "pipe-data.pb-c.h"
#include "sk-packet.pb-c.h"
#include "tcp-stream.pb-c.h"

static uint64_t padded_size(uint64_t size, uint64_t align)
{
	return (size + align - 1) / align * align;
}

static uint64_t size_after_pipe(const void *record)
{
	return ((const PipeDataEntry *)record)->bytes;
}

static uint64_t size_after_packet(const void *record)
{
	return ((const SkPacketEntry *)record)->length;
}

static uint64_t size_after_tcp(const void *record)
{
	const TcpStreamEntry *tcp = record;

	return (uint64_t)tcp->inq_len + tcp->outq_len;
}

static uint64_t size_after_semaphores(const void *record)
{
	return padded_size((uint64_t)((const IpcSemEntry *)record)->nsems * sizeof(uint16_t), 8);
}

static uint64_t size_after_message(const void *record)
{
	return padded_size(((const IpcMsg *)record)->msize, 8);
}

static uint64_t size_after_shm(const void *record)
{
	const IpcShmEntry *shm = record;

	if (shm->has_in_pagemaps && shm->in_pagemaps)
		return 0;
	return shm->size > INT64_MAX ? shm->size : padded_size(shm->size, 4);
}

static uint64_t size_after_bpf(const void *record)
{
	const BpfmapDataEntry *map = record;

	return (uint64_t)map->keys_bytes + map->values_bytes;
}

static uint64_t size_after_ghost(const void *record)
{
	const GhostFileEntry *ghost = record;

	if (!S_ISREG(ghost->mode) || (ghost->has_chunks && ghost->chunks))
		return 0;
	return IMAGE_TO_THE_END;
}

static uint64_t size_after_chunk(const void *record)
{
	return ((const GhostChunkEntry *)record)->len;
}

static const struct {
	const ProtobufCMessageDescriptor *record;
	uint64_t (*size)(const void *record);
} payloads[] = {
	{ &pipe_data_entry__descriptor, size_after_pipe },    { &sk_packet_entry__descriptor, size_after_packet },
	{ &tcp_stream_entry__descriptor, size_after_tcp },    { &ipc_sem_entry__descriptor, size_after_semaphores },
	{ &ipc_msg__descriptor, size_after_message },	      { &ipc_shm_entry__descriptor, size_after_shm },
	{ &bpfmap_data_entry__descriptor, size_after_bpf },   { &ghost_file_entry__descriptor, size_after_ghost },
	{ &ghost_chunk_entry__descriptor, size_after_chunk },
};

bool image_has_payload(const ProtobufCMessageDescriptor *record)
{
	for (size_t i = 0; i < ARRAY_SIZE(payloads); i++)
		if (payloads[i].record == record)
			return true;
	return false;
}

int image_payload_of(struct image *image, const ProtobufCMessage *record, uint64_t *ret)
{
	*ret = 0;
	for (size_t i = 0; i < ARRAY_SIZE(payloads); i++) {
		if (payloads[i].record == record->descriptor)
			*ret = payloads[i].size(record);
	}
	if (*ret > INT64_MAX && (*ret != IMAGE_TO_THE_END || record->descriptor != &ghost_file_entry__descriptor))
		return image_refuse(image, "damaged: a payload of %" PRIu64 " bytes", *ret);
	return 0;
}

uint64_t image_payload_left(const struct image *image)
{
	return image->payload_left;
}

static void count_payload(struct image *image, size_t size)
{
	if (image->payload_left != IMAGE_TO_THE_END)
		image->payload_left -= size;
}

ssize_t image_read_some(struct image *image, void *to, size_t size)
{
	size_t done = 0;

	if (size > image->payload_left)
		size = image->payload_left;
	while (done < size) {
		size_t piece = image_waiting(image);

		/* Big pieces go straight to the caller. */
		if (!piece && !image->at_end && size - done >= IMAGE_BUFFER) {
			ssize_t got = image_read_on(image, (char *)to + done, size - done);

			TRY(got);
			image->at_end = (size_t)got < size - done;
			image->at += (size_t)got;
			done += (size_t)got;
			continue;
		}
		TRY(image_fill(image, 1));
		piece = image_waiting(image);
		if (!piece)
			break;
		if (piece > size - done)
			piece = size - done;
		memcpy((char *)to + done, image->buffer + image->start, piece);
		image_take(image, piece);
		done += piece;
	}
	count_payload(image, done);
	return (ssize_t)done;
}

int image_read_bytes(struct image *image, void *to, size_t size)
{
	ssize_t got;

	if (size > image->payload_left)
		return image_refuse(image, "%zu bytes of payload are wanted, %" PRIu64 " are left", size,
				    image->payload_left);
	got = image_read_some(image, to, size);
	TRY(got);
	if ((size_t)got < size)
		return image_refuse(image, "truncated: %zu bytes of its payload are missing", size - (size_t)got);
	return 0;
}

int image_read_payload(struct image *image, void **ret, size_t *ret_size)
{
	uint64_t left = image->payload_left;
	size_t want = left > IMAGE_RECORD_MAX ? IMAGE_RECORD_MAX + 1 : left, got;
	char *bytes;

	TRY(image_fill(image, want));
	got = image_waiting(image);
	if (got > IMAGE_RECORD_MAX && left > IMAGE_RECORD_MAX)
		return image_refuse(image, "its payload has more than %u bytes", IMAGE_RECORD_MAX);
	if (got < left && left != IMAGE_TO_THE_END)
		return image_refuse(image, "truncated: %" PRIu64 " bytes of its payload are missing", left - got);
	if (got > left)
		got = left;
	bytes = pool_alloc(image->pool, got + 1);
	if (got)
		memcpy(bytes, image->buffer + image->start, got);
	image_take(image, got);
	image->payload_left = 0;
	*ret = bytes;
	*ret_size = got;
	return 0;
}

int image_read_to_fd(struct image *image, int fd)
{
	while (image->payload_left) {
		size_t piece;
		int error;

		TRY(image_fill(image, 1));
		piece = image_waiting(image);
		if (!piece && image->payload_left != IMAGE_TO_THE_END)
			return image_refuse(image, "truncated: %" PRIu64 " bytes of its payload are missing",
					    image->payload_left);
		if (!piece)
			image->payload_left = 0;
		if (piece > image->payload_left)
			piece = image->payload_left;
		error = io_write(fd, image->buffer + image->start, piece);
		if (error < 0)
			return fail(-error, "cannot write the payload of %s", image->name);
		image_take(image, piece);
		count_payload(image, piece);
	}
	return 0;
}

int image_write_bytes(struct image *image, const void *from, size_t size)
{
	void *to;
	int error;

	if (!size)
		return 0;
	TRY(image_start(image));
	if (image->fd >= 0 && size >= IMAGE_BUFFER) {
		TRY(image_flush(image));
		error = io_write(image->fd, from, size);
		return error < 0 ? fail(-error, "%s: cannot write", image->name) : 0;
	}
	TRY(image_reserve(image, size, &to));
	memcpy(to, from, size);
	image->end += size;
	return 0;
}

int image_write_padding(struct image *image, size_t size, size_t align)
{
	static const char zeros[64];

	return image_write_bytes(image, zeros, padded_size(size, align) - size);
}

int image_write_from_fd(struct image *image, int fd, off_t at, uint64_t size)
{
	while (size) {
		size_t piece = size > IMAGE_BUFFER ? IMAGE_BUFFER : size;
		ssize_t got;
		void *to;

		TRY(image_start(image));
		TRY(image_reserve(image, piece, &to));
		got = io_pread(fd, to, piece, at);
		if (got < 0)
			return fail((int)-got, "%s: cannot read what to save", image->name);
		if ((size_t)got < piece)
			return refuse(EIO, "%s: the file has become shorter while it was saved", image->name);
		image->end += piece;
		at += got;
		size -= piece;
	}
	return 0;
}
