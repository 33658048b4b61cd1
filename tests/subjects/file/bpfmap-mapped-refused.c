// SPDX-License-Identifier: GPL-2.0-only
/* A BPF map that is mapped into memory. */
#include <linux/bpf.h>

#include "subject.h"

SUBJECT(.refused = "mapping .*bpf-map.* is a BPF map", .ways = "untouched unharmed")

int main(void)
{
	union bpf_attr attr = { .map_type = BPF_MAP_TYPE_ARRAY,
				.key_size = 4,
				.value_size = 8,
				.max_entries = 16,
				.map_flags = BPF_F_MMAPABLE };
	int fd = (int)syscall(SYS_bpf, BPF_MAP_CREATE, &attr, sizeof(attr));

	if (fd < 0)
		skip("bpf: %s", strerror(errno));

	uint64_t *map = must(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));

	map[3] = 33;

	checkpoint();

	CHECK_EQUAL(map[3], 33);
	return 0;
}
