/* SPDX-License-Identifier: GPL-2.0-only */
/* What is in a BPF map: keys and values, read and set by bpf(2). */
#pragma once

#include <linux/bpf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buffer;

/* How the content of a type of map is read. */
enum bpf_content {
	BPF_CONTENT_NONE,     /* it cannot be saved */
	BPF_CONTENT_ELEMENTS, /* keys and values */
	BPF_CONTENT_EACH_CPU, /* a value of each CPU */
	BPF_CONTENT_MAPS,     /* values are other maps */
	BPF_CONTENT_QUEUE,    /* no keys; read by taking out, and put in again at once */
	BPF_CONTENT_STACK,
	BPF_CONTENT_RING, /* only if nothing waits in it */
};

enum bpf_content bpf_content_of(uint32_t type);
/* "hash"; of an unknown type its number would say as much: "map of that type". */
const char *bpf_type_name(uint32_t type);
/* How many bytes a value has when it is read and set; 0, logged: the CPUs cannot be counted. */
size_t bpf_value_size(uint32_t type, size_t value_size);
/* All three in the order in which they are to be set. keys stays empty where there are none. */
int bpf_read_content(int fd, const struct bpf_map_info *info, struct buffer *keys, struct buffer *values, uint32_t *n);
/* 1 if something is in the queue or stack. */
int bpf_queue_is_used(int fd, const struct bpf_map_info *info);
/* The i-th element: key and value may be NULL. */
int bpf_set_element(int fd, const void *key, const void *value, uint32_t i);
int bpf_open_map(uint32_t id, uint32_t flags);
