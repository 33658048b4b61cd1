// SPDX-License-Identifier: GPL-2.0-only
/* A BPF map of maps that is empty: nobody is told which maps may be put into it. */
#include <linux/bpf.h>

#include "subject.h"

SUBJECT(.refused = "is an empty array of maps", .ways = "untouched unharmed")

static int create(unsigned type, int inner)
{
	union bpf_attr attr = {
		.map_type = type, .key_size = 4, .value_size = 4, .max_entries = 4, .inner_map_fd = (uint32_t)inner
	};
	int fd = (int)syscall(SYS_bpf, BPF_MAP_CREATE, &attr, sizeof(attr));

	if (fd < 0)
		skip("bpf: %s", strerror(errno));
	return fd;
}

int main(void)
{
	int maps = create(BPF_MAP_TYPE_ARRAY_OF_MAPS, create(BPF_MAP_TYPE_ARRAY, 0));

	checkpoint();

	CHECK(fcntl(maps, F_GETFD) >= 0);
	return 0;
}
