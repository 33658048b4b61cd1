// SPDX-License-Identifier: GPL-2.0-only
/* BPF maps: frozen, open for reading or writing only, inherited, without preallocation, empty, with large values. */
#include <linux/bpf.h>

#include "subject.h"

SUBJECT()

static int child_map;

static int bpf(int command, union bpf_attr *attr)
{
	return (int)syscall(SYS_bpf, command, attr, sizeof(*attr));
}

static int create(unsigned type, unsigned key_size, unsigned value_size, unsigned flags)
{
	union bpf_attr attr = {
		.map_type = type, .key_size = key_size, .value_size = value_size, .max_entries = 100, .map_flags = flags
	};
	int fd = bpf(BPF_MAP_CREATE, &attr);

	if (fd < 0)
		skip("bpf: %s", strerror(errno));
	return fd;
}

static int set(int fd, const void *key, const void *value)
{
	union bpf_attr attr = { .map_fd = (uint32_t)fd };

	attr.key = (uint64_t)(uintptr_t)key;
	attr.value = (uint64_t)(uintptr_t)value;
	return bpf(BPF_MAP_UPDATE_ELEM, &attr);
}

static int get(int fd, const void *key, void *value)
{
	union bpf_attr attr = { .map_fd = (uint32_t)fd };

	attr.key = (uint64_t)(uintptr_t)key;
	attr.value = (uint64_t)(uintptr_t)value;
	return bpf(BPF_MAP_LOOKUP_ELEM, &attr);
}

static int work(void *arg)
{
	uint32_t key = 1;
	uint64_t value = 7;

	wait_for_restore();
	CHECK_EQUAL(set(child_map, &key, &value), 0);
	return 0;
}

int main(void)
{
	static char large[5000], got[5000];
	uint32_t key = 3;
	uint64_t value = 44, found;
	union bpf_attr attr = { 0 };
	int frozen = create(BPF_MAP_TYPE_ARRAY, 4, 8, 0), reader = create(BPF_MAP_TYPE_HASH, 4, 8, BPF_F_RDONLY);
	int writer = create(BPF_MAP_TYPE_HASH, 4, 8, BPF_F_WRONLY | BPF_F_NO_PREALLOC),
	    big = create(BPF_MAP_TYPE_HASH, 16, 5000, 0);

	child_map = create(BPF_MAP_TYPE_ARRAY, 4, 8, 0);
	must(set(frozen, &key, &value));
	attr.map_fd = (uint32_t)frozen;
	must(bpf(BPF_MAP_FREEZE, &attr));
	must(set(writer, &key, &value));
	fill(large, sizeof(large), 9);
	must(set(big, "sixteen bytes!!", large));
	pid_t child = start_child(work, NULL);

	checkpoint_with(1);

	join_child(child, 0);
	key = 1;
	CHECK_EQUAL(get(child_map, &key, &found), 0);
	CHECK_EQUAL(found, 7);
	key = 3;
	CHECK_EQUAL(set(frozen, &key, &value), -1);
	CHECK_EQUAL(errno, EPERM);
	CHECK_EQUAL(get(frozen, &key, &found), 0);
	CHECK_EQUAL(found, 44);
	CHECK_EQUAL(set(reader, &key, &value), -1);
	CHECK_EQUAL(errno, EPERM);
	CHECK_EQUAL(get(writer, &key, &found), -1);
	CHECK_EQUAL(errno, EPERM);
	CHECK_EQUAL(set(writer, &key, &value), 0);
	CHECK_EQUAL(get(big, "sixteen bytes!!", got), 0);
	check_filled(got, sizeof(got), 9);
	return 0;
}
