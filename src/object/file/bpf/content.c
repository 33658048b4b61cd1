/* SPDX-License-Identifier: GPL-2.0-only */
/* What is in a BPF map. */
#include "object/file/bpf/content.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/auto.h"
#include "base/buffer.h"
#include "base/fail.h"
#include "base/file.h"
#include "base/pool.h"
#include "kern/bpf.h"

#define CPUS "/sys/devices/system/cpu/possible"

static const struct {
	const char *name;
	enum bpf_content content;
} types[] = {
	[BPF_MAP_TYPE_HASH] = { "hash", BPF_CONTENT_ELEMENTS },
	[BPF_MAP_TYPE_ARRAY] = { "array", BPF_CONTENT_ELEMENTS },
	[BPF_MAP_TYPE_PROG_ARRAY] = { "array of programs", BPF_CONTENT_NONE },
	[BPF_MAP_TYPE_PERF_EVENT_ARRAY] = { "array of perf events", BPF_CONTENT_NONE },
	[BPF_MAP_TYPE_PERCPU_HASH] = { "hash for each CPU", BPF_CONTENT_EACH_CPU },
	[BPF_MAP_TYPE_PERCPU_ARRAY] = { "array for each CPU", BPF_CONTENT_EACH_CPU },
	[BPF_MAP_TYPE_STACK_TRACE] = { "map of stack traces", BPF_CONTENT_NONE },
	[BPF_MAP_TYPE_CGROUP_ARRAY] = { "array of cgroups", BPF_CONTENT_NONE },
	[BPF_MAP_TYPE_LRU_HASH] = { "LRU hash", BPF_CONTENT_ELEMENTS },
	[BPF_MAP_TYPE_LRU_PERCPU_HASH] = { "LRU hash for each CPU", BPF_CONTENT_EACH_CPU },
	[BPF_MAP_TYPE_LPM_TRIE] = { "LPM trie", BPF_CONTENT_ELEMENTS },
	[BPF_MAP_TYPE_ARRAY_OF_MAPS] = { "array of maps", BPF_CONTENT_MAPS },
	[BPF_MAP_TYPE_HASH_OF_MAPS] = { "hash of maps", BPF_CONTENT_MAPS },
	[BPF_MAP_TYPE_DEVMAP] = { "map of devices", BPF_CONTENT_NONE },
	[BPF_MAP_TYPE_SOCKMAP] = { "map of sockets", BPF_CONTENT_NONE },
	[BPF_MAP_TYPE_CPUMAP] = { "map of CPUs", BPF_CONTENT_NONE },
	[BPF_MAP_TYPE_XSKMAP] = { "map of XDP sockets", BPF_CONTENT_NONE },
	[BPF_MAP_TYPE_SOCKHASH] = { "hash of sockets", BPF_CONTENT_NONE },
	[BPF_MAP_TYPE_QUEUE] = { "queue", BPF_CONTENT_QUEUE },
	[BPF_MAP_TYPE_STACK] = { "stack", BPF_CONTENT_STACK },
	[BPF_MAP_TYPE_STRUCT_OPS] = { "map of operations", BPF_CONTENT_NONE },
	[BPF_MAP_TYPE_RINGBUF] = { "ring buffer", BPF_CONTENT_RING },
	[BPF_MAP_TYPE_BLOOM_FILTER] = { "Bloom filter", BPF_CONTENT_NONE },
};

enum bpf_content bpf_content_of(uint32_t type)
{
	return type < ARRAY_SIZE(types) ? types[type].content : BPF_CONTENT_NONE;
}

const char *bpf_type_name(uint32_t type)
{
	return type < ARRAY_SIZE(types) && types[type].name ? types[type].name : "map of that type";
}

/* "0-3,8": all that there may ever be. */
static size_t count_cpus(void)
{
	char text[256];
	size_t n = 0;

	if (file_read_text(AT_FDCWD, CPUS, text, sizeof(text)) < 0)
		return 0;
	for (char *p = text; *p >= '0' && *p <= '9';) {
		unsigned long first = strtoul(p, &p, 10), last = *p == '-' ? strtoul(p + 1, &p, 10) : first;

		n += last - first + 1;
		p += *p == ',';
	}
	return n;
}

size_t bpf_value_size(uint32_t type, size_t value_size)
{
	size_t cpus = bpf_content_of(type) == BPF_CONTENT_EACH_CPU ? count_cpus() : 1;

	if (!cpus)
		(void)fail(EIO, "reading %s, to know how many values of each CPU there are", CPUS);
	return bpf_content_of(type) == BPF_CONTENT_EACH_CPU ? (value_size + 7) / 8 * 8 * cpus : value_size;
}

int bpf_open_map(uint32_t id, uint32_t flags)
{
	union bpf_attr attr = { .map_id = id, .open_flags = flags };

	return bpf_call(BPF_MAP_GET_FD_BY_ID, &attr);
}

static int call_element(int fd, int command, const void *key, const void *value)
{
	union bpf_attr attr = { .map_fd = (uint32_t)fd };

	attr.key = (uint64_t)(uintptr_t)key;
	attr.value = (uint64_t)(uintptr_t)value;
	return bpf_call(command, &attr);
}

int bpf_set_element(int fd, const void *key, const void *value, uint32_t i)
{
	int error = call_element(fd, BPF_MAP_UPDATE_ELEM, key, value);

	return error < 0 ? fail(-error, "setting element %u of the map", i) : 0;
}

/* The key behind this one (NULL: the first); -ENOENT: it was the last. */
static int next_key(int fd, const void *key, void *next)
{
	return call_element(fd, BPF_MAP_GET_NEXT_KEY, key, next);
}

static int read_elements(int fd, const struct bpf_map_info *info, struct buffer *keys, struct buffer *values,
			 uint32_t *n)
{
	size_t size = bpf_value_size(info->type, info->value_size);
	AUTO_FREE uint8_t *key = xzalloc(info->key_size), *next = xzalloc(info->key_size), *value = xzalloc(size ?: 1);
	const bool maps = bpf_content_of(info->type) == BPF_CONTENT_MAPS;
	bool any = false;
	int error;

	if (!size)
		return -EIO;
	while ((error = next_key(fd, any ? key : NULL, next)) == 0) {
		error = call_element(fd, BPF_MAP_LOOKUP_ELEM, next, value);
		any = true;
		memcpy(key, next, info->key_size);
		if (error == -ENOENT && maps)
			continue; /* no map at this place of the array */
		if (error < 0)
			return fail(-error, "reading a value of the map");
		buffer_append(keys, next, info->key_size);
		buffer_append(values, value, size);
		++*n;
	}
	return error == -ENOENT ? 0 : fail(-error, "reading the keys of the map");
}

static int put_back(int fd, const struct buffer *values, size_t size, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		TRY(bpf_set_element(fd, NULL, (const char *)values->data + i * size, i));
	return 0;
}

static void turn_round(struct buffer *values, size_t size, uint32_t n)
{
	AUTO_FREE char *kept = xzalloc(size);
	char *data = (char *)values->data;

	for (uint32_t i = 0; i < n / 2; i++) {
		char *one = data + i * size, *other = data + (n - 1 - i) * size;

		memcpy(kept, one, size);
		memcpy(one, other, size);
		memcpy(other, kept, size);
	}
}

/* The kernel shows but the first. Whoever could see that the others are away for this moment stands still, unless he is
 * outside of the tree. */
static int read_queue(int fd, const struct bpf_map_info *info, struct buffer *values, uint32_t *n)
{
	AUTO_FREE uint8_t *value = xzalloc(info->value_size);
	int error, back;

	if (!bpf_queue_is_used(fd, info))
		return 0;
	while ((error = call_element(fd, BPF_MAP_LOOKUP_AND_DELETE_ELEM, NULL, value)) == 0) {
		buffer_append(values, value, info->value_size);
		++*n;
	}
	if (bpf_content_of(info->type) == BPF_CONTENT_STACK)
		turn_round(values, info->value_size, *n);
	back = put_back(fd, values, info->value_size, *n);
	if (error != -ENOENT)
		return fail(-error, "taking an element out of the map");
	return back;
}

int bpf_read_content(int fd, const struct bpf_map_info *info, struct buffer *keys, struct buffer *values, uint32_t *n)
{
	*n = 0;
	switch (bpf_content_of(info->type)) {
	case BPF_CONTENT_QUEUE:
	case BPF_CONTENT_STACK:
		return read_queue(fd, info, values, n);
	case BPF_CONTENT_RING:
	case BPF_CONTENT_NONE:
		return 0;
	default:
		return read_elements(fd, info, keys, values, n);
	}
}

int bpf_queue_is_used(int fd, const struct bpf_map_info *info)
{
	AUTO_FREE uint8_t *value = xzalloc(info->value_size);

	return call_element(fd, BPF_MAP_LOOKUP_ELEM, NULL, value) != -ENOENT;
}
