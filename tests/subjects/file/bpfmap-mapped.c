// SPDX-License-Identifier: GPL-2.0-only
/* BPF arrays that are mapped into memory: to write, to read only, in part, frozen, in two processes. */
#include <linux/bpf.h>
#include <sys/wait.h>

#include "subject.h"

SUBJECT()

#define PAGE getpagesize()

static int bpf(int command, union bpf_attr *attr)
{
	return (int)syscall(SYS_bpf, command, attr, sizeof(*attr));
}

static int create(unsigned entries)
{
	union bpf_attr attr = { .map_type = BPF_MAP_TYPE_ARRAY,
				.key_size = 4,
				.value_size = 8,
				.max_entries = entries,
				.map_flags = BPF_F_MMAPABLE };
	int fd = bpf(BPF_MAP_CREATE, &attr);

	if (fd < 0)
		skip("bpf: %s", strerror(errno));
	return fd;
}

static uint64_t look_up(int fd, uint32_t key)
{
	union bpf_attr attr = { .map_fd = (uint32_t)fd };
	uint64_t value = 0;

	attr.key = (uint64_t)(uintptr_t)&key;
	attr.value = (uint64_t)(uintptr_t)&value;
	return bpf(BPF_MAP_LOOKUP_ELEM, &attr) < 0 ? 0 : value;
}

static uint64_t *map(int fd, size_t pages, int prot, off_t at)
{
	void *got = mmap(NULL, pages * PAGE, prot, MAP_SHARED, fd, at * PAGE);

	must(got == MAP_FAILED ? -1 : 0);
	return got;
}

int main(void)
{
	int one = create(1536), other = create(16), frozen = create(16);
	union bpf_attr freeze = { .map_fd = (uint32_t)frozen };
	uint64_t *all = map(one, 3, PROT_READ | PROT_WRITE, 0), *last = map(one, 1, PROT_READ, 2);
	uint64_t *small = map(other, 1, PROT_READ | PROT_WRITE, 0), *cold = map(frozen, 1, PROT_READ | PROT_WRITE, 0);
	int status;

	for (unsigned i = 0; i < 1536; i++)
		all[i] = i * 7 + 1;
	small[3] = 33;
	cold[5] = 55;
	must(munmap(cold, PAGE));
	must(bpf(BPF_MAP_FREEZE, &freeze));
	cold = map(frozen, 1, PROT_READ, 0);
	must(munmap(all + 512, PAGE));

	pid_t child = must(fork());

	if (!child) {
		wait_for_restore();
		small[4] = small[3] + 1;
		_exit(all[511] == 511 * 7 + 1 ? 7 : 1);
	}
	checkpoint_with(1);

	CHECK_EQUAL(waitpid(child, &status, 0), child);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 7);
	CHECK_EQUAL(small[4], 34);
	CHECK_EQUAL(look_up(other, 4), 34);
	CHECK_EQUAL(all[0], 1);
	CHECK_EQUAL(last[511], 1535 * 7 + 1);
	CHECK_EQUAL(look_up(one, 700), 700 * 7 + 1);
	all[1025] = 77;
	CHECK_EQUAL(last[1], 77);
	CHECK_EQUAL(look_up(one, 1025), 77);
	CHECK_EQUAL(cold[5], 55);
	CHECK(mprotect(cold, PAGE, PROT_READ | PROT_WRITE) < 0);
	CHECK(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, frozen, 0) == MAP_FAILED);
	return 0;
}
