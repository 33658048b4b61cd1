// SPDX-License-Identifier: GPL-2.0-only
/* Memory that a userfaultfd watches lies within a huge page of its neighbour: what was missing is still missing. */
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>

#include "subject.h"

SUBJECT()

#define HUGE  (2ul << 20)
#define PIECE (64ul << 10)

static unsigned count_present(const uint8_t *start, size_t size)
{
	int fd = must(open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC));
	unsigned n = 0;

	for (size_t at = 0; at < size; at += 4096) {
		uint64_t word;

		CHECK_EQUAL(pread(fd, &word, 8, (off_t)(((uintptr_t)start + at) / 4096 * 8)), 8);
		n += word >> 63;
	}
	close(fd);
	return n;
}

int main(void)
{
	struct uffdio_api api = { .api = UFFD_API };
	uint8_t *map = must(mmap(NULL, 3 * HUGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	uint8_t *area = (uint8_t *)(((uintptr_t)map + HUGE - 1) / HUGE * HUGE), *watched = area + HUGE / 2;
	struct uffdio_register reg = { .range = { (uintptr_t)watched, PIECE }, .mode = UFFDIO_REGISTER_MODE_MISSING };
	int uffd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);

	if (uffd < 0 || ioctl(uffd, UFFDIO_API, &api) < 0)
		skip("userfaultfd: %s", strerror(errno));
	if (madvise(map, 3 * HUGE, MADV_HUGEPAGE) < 0)
		skip("this kernel has no transparent huge pages");
	must(ioctl(uffd, UFFDIO_REGISTER, &reg));
	fill(area, HUGE / 2, 1);
	fill(watched + PIECE, HUGE + HUGE / 2 - PIECE, 2);
	CHECK_EQUAL(count_present(watched, PIECE), 0);

	checkpoint();

	CHECK_EQUAL(count_present(watched, PIECE), 0);
	check_filled(area, HUGE / 2, 1);
	check_filled(watched + PIECE, HUGE + HUGE / 2 - PIECE, 2);
	return 0;
}
