// SPDX-License-Identifier: GPL-2.0-only
/* BPF maps of all kinds that have content: of each CPU, LRU, LPM, queues, stacks, maps of maps, an empty ring buffer.
 */
#include <linux/bpf.h>

#include "subject.h"

SUBJECT()

#define CPUS_MAX 1024

static int bpf(int command, union bpf_attr *attr)
{
	return (int)syscall(SYS_bpf, command, attr, sizeof(*attr));
}

static int create(unsigned type, unsigned key_size, unsigned value_size, unsigned entries, unsigned flags, int inner)
{
	union bpf_attr attr = { .map_type = type,
				.key_size = key_size,
				.value_size = value_size,
				.max_entries = entries,
				.map_flags = flags,
				.inner_map_fd = (uint32_t)inner };
	int fd = bpf(BPF_MAP_CREATE, &attr);

	if (fd < 0)
		skip("bpf, map of type %u: %s", type, strerror(errno));
	return fd;
}

static int call(int command, int fd, const void *key, const void *value)
{
	union bpf_attr attr = { .map_fd = (uint32_t)fd };

	attr.key = (uint64_t)(uintptr_t)key;
	attr.value = (uint64_t)(uintptr_t)value;
	return bpf(command, &attr);
}

static uint32_t id_of(int fd)
{
	struct bpf_map_info info = { 0 };
	union bpf_attr attr = { .info = { .bpf_fd = (uint32_t)fd, .info_len = sizeof(info) } };

	attr.info.info = (uint64_t)(uintptr_t)&info;
	must(bpf(BPF_OBJ_GET_INFO_BY_FD, &attr));
	return info.id;
}

static int open_id(uint32_t id)
{
	union bpf_attr attr = { .map_id = id };

	return bpf(BPF_MAP_GET_FD_BY_ID, &attr);
}

static void push(int fd, uint64_t value)
{
	must(call(BPF_MAP_UPDATE_ELEM, fd, NULL, &value));
}

static uint64_t pop(int fd)
{
	uint64_t value = 0;

	return call(BPF_MAP_LOOKUP_AND_DELETE_ELEM, fd, NULL, &value) < 0 ? 0 : value;
}

static uint32_t look_up(int fd, uint32_t key)
{
	uint32_t value = 0;

	return call(BPF_MAP_LOOKUP_ELEM, fd, &key, &value) < 0 ? 0 : value;
}

static void check_maps(int inner, int maps, int named)
{
	uint32_t value = 0;

	CHECK_EQUAL(look_up(inner, 2), 7);
	CHECK_EQUAL(look_up(maps, 2), id_of(inner));
	CHECK_EQUAL(call(BPF_MAP_LOOKUP_ELEM, named, "eight by", &value), 0);
	CHECK_EQUAL(value, id_of(inner));
	int hidden = open_id(look_up(maps, 0));
	CHECK_EQUAL(look_up(hidden, 2), 8);
	CHECK_EQUAL(look_up(maps, 1), 0);
}

int main(void)
{
	static uint64_t wide[CPUS_MAX], got[CPUS_MAX];
	const struct {
		uint32_t bits;
		uint8_t address[4];
	} net = { 8, { 10, 0, 0, 0 } }, host = { 32, { 10, 1, 2, 3 } };
	int each = create(BPF_MAP_TYPE_PERCPU_ARRAY, 4, 8, 3, 0, 0),
	    lru = create(BPF_MAP_TYPE_LRU_HASH, 4, 4, 1000, 0, 0);
	int each_hash = create(BPF_MAP_TYPE_PERCPU_HASH, 4, 5, 3, 0, 0);
	int trie = create(BPF_MAP_TYPE_LPM_TRIE, 8, 4, 10, BPF_F_NO_PREALLOC, 0);
	int queue = create(BPF_MAP_TYPE_QUEUE, 0, 8, 5, 0, 0), stack = create(BPF_MAP_TYPE_STACK, 0, 8, 5, 0, 0);
	int empty = create(BPF_MAP_TYPE_QUEUE, 0, 8, 5, 0, 0), ring = create(BPF_MAP_TYPE_RINGBUF, 0, 0, 4096, 0, 0);
	int inner = create(BPF_MAP_TYPE_HASH, 4, 4, 7, 0, 0), hidden = create(BPF_MAP_TYPE_HASH, 4, 4, 9, 0, 0);
	int maps = create(BPF_MAP_TYPE_ARRAY_OF_MAPS, 4, 4, 4, 0, inner);
	int named = create(BPF_MAP_TYPE_HASH_OF_MAPS, 8, 4, 4, 0, inner);
	uint32_t key = 2, value = 7;

	for (size_t i = 0; i < CPUS_MAX; i++)
		wide[i] = (i + 1) * 0x0101010101ull;
	must(call(BPF_MAP_UPDATE_ELEM, each, &key, wide));
	must(call(BPF_MAP_UPDATE_ELEM, each_hash, &key, wide));
	for (uint32_t i = 0; i < 50; i++)
		must(call(BPF_MAP_UPDATE_ELEM, lru, &i, &i));
	must(call(BPF_MAP_UPDATE_ELEM, trie, &net, &value));
	for (uint64_t i = 1; i <= 5; i++) {
		push(queue, i);
		push(stack, i);
	}
	must(call(BPF_MAP_UPDATE_ELEM, inner, &key, &value));
	value = 8;
	must(call(BPF_MAP_UPDATE_ELEM, hidden, &key, &value));
	/* One and the same map at two places and with a descriptor, another one that only others refer to. */
	must(call(BPF_MAP_UPDATE_ELEM, maps, &key, &inner));
	key = 0;
	must(call(BPF_MAP_UPDATE_ELEM, maps, &key, &hidden));
	must(call(BPF_MAP_UPDATE_ELEM, named, "eight by", &inner));
	must(close(hidden));

	checkpoint();

	key = 2;
	CHECK_EQUAL(call(BPF_MAP_LOOKUP_ELEM, each, &key, got), 0);
	CHECK_EQUAL(got[0], wide[0]);
	CHECK_EQUAL(got[1], sysconf(_SC_NPROCESSORS_CONF) > 1 ? wide[1] : 0);
	memset(got, 0, sizeof(got));
	CHECK_EQUAL(call(BPF_MAP_LOOKUP_ELEM, each_hash, &key, got), 0);
	CHECK_EQUAL(memcmp(got, wide, 5), 0);
	for (uint32_t i = 0; i < 50; i++)
		CHECK(call(BPF_MAP_LOOKUP_ELEM, lru, &i, &value) == 0 && value == i);
	CHECK_EQUAL(call(BPF_MAP_LOOKUP_ELEM, trie, &host, &value), 0);
	CHECK_EQUAL(value, 7);
	for (uint64_t i = 1; i <= 5; i++) {
		CHECK_EQUAL(pop(queue), i);
		CHECK_EQUAL(pop(stack), 6 - i);
	}
	CHECK_EQUAL(pop(queue) + pop(stack) + pop(empty), 0);
	CHECK(fcntl(ring, F_GETFD) >= 0);
	check_maps(inner, maps, named);
	return 0;
}
