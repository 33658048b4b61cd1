/* SPDX-License-Identifier: GPL-2.0-only */
/* Payload: how many bytes follow a record, and moving them. */
#pragma once

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct image;

/* Bytes that follow a record in the file. -EINVAL (logged) if that cannot be. */
int image_payload_of(struct image *image, const ProtobufCMessage *record, uint64_t *ret);
/* Whether bytes may follow such a record. */
bool image_has_payload(const ProtobufCMessageDescriptor *record);

#define IMAGE_TO_THE_END UINT64_MAX

/* Bytes of payload of the last record that were not read yet; IMAGE_TO_THE_END for all the rest of the file. */
uint64_t image_payload_left(const struct image *image);
/* Exactly size bytes; less is a failure. */
int image_read_bytes(struct image *image, void *to, size_t size);
/* Up to size bytes: fewer only at the end of the payload. Returns the count. */
ssize_t image_read_some(struct image *image, void *to, size_t size);
/* All of the payload into the pool, with a NUL after it. At most IMAGE_RECORD_MAX. */
int image_read_payload(struct image *image, void **ret, size_t *ret_size);
/* All of the payload to a descriptor. */
int image_read_to_fd(struct image *image, int fd);

int image_write_bytes(struct image *image, const void *from, size_t size);
/* Zeros that the format wants after `size` bytes to reach a multiple of `align`. */
int image_write_padding(struct image *image, size_t size, size_t align);
/* size bytes of a file from an offset on. A file that has become shorter is a failure. */
int image_write_from_fd(struct image *image, int fd, off_t at, uint64_t size);
