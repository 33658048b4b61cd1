// SPDX-License-Identifier: GPL-2.0-only
/* BPF maps, an array and a hash, with their content; two descriptors of one map see the same. */
#include <linux/bpf.h>

#include "subject.h"

SUBJECT()

static int bpf(int command, union bpf_attr *attr)
{
	return (int)syscall(SYS_bpf, command, attr, sizeof(*attr));
}

static int create(unsigned type, const char *name)
{
	union bpf_attr attr = { .map_type = type, .key_size = 4, .value_size = 8, .max_entries = 16 };

	strcpy(attr.map_name, name);
	return bpf(BPF_MAP_CREATE, &attr);
}

static void set(int fd, uint32_t key, uint64_t value)
{
	union bpf_attr attr = { .map_fd = (uint32_t)fd };

	attr.key = (uint64_t)(uintptr_t)&key;
	attr.value = (uint64_t)(uintptr_t)&value;
	must(bpf(BPF_MAP_UPDATE_ELEM, &attr));
}

static uint64_t get(int fd, uint32_t key)
{
	union bpf_attr attr = { .map_fd = (uint32_t)fd };
	uint64_t value = 0;

	attr.key = (uint64_t)(uintptr_t)&key;
	attr.value = (uint64_t)(uintptr_t)&value;
	return bpf(BPF_MAP_LOOKUP_ELEM, &attr) < 0 ? UINT64_MAX : value;
}

int main(void)
{
	int hash = create(BPF_MAP_TYPE_HASH, "hash"), array = create(BPF_MAP_TYPE_ARRAY, "array");
	union bpf_attr attr = { 0 };
	struct bpf_map_info info = { 0 };

	if (hash < 0 || array < 0)
		skip("bpf: %s", strerror(errno));
	set(hash, 77, 1);
	set(hash, 1000000, 2);
	set(array, 3, 33);
	attr.info.bpf_fd = (uint32_t)hash;
	attr.info.info_len = sizeof(info);
	attr.info.info = (uint64_t)(uintptr_t)&info;
	must(bpf(BPF_OBJ_GET_INFO_BY_FD, &attr));
	memset(&attr, 0, sizeof(attr));
	attr.map_id = info.id;
	int again = must(bpf(BPF_MAP_GET_FD_BY_ID, &attr));

	checkpoint();

	CHECK_EQUAL(get(hash, 77), 1);
	CHECK_EQUAL(get(hash, 1000000), 2);
	CHECK_EQUAL(get(hash, 5), -1);
	CHECK_EQUAL(get(array, 3), 33);
	CHECK_EQUAL(get(array, 4), 0);
	set(again, 5, 55);
	CHECK_EQUAL(get(hash, 5), 55);
	return 0;
}
