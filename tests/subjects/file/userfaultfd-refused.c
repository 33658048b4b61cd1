// SPDX-License-Identifier: GPL-2.0-only
/* With two userfaultfds nobody can tell which watches what: refused, and both go on. */
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>

#include "subject.h"

SUBJECT(.refused = "mapping .* watched by a userfaultfd, and there are several", .ways = "untouched unharmed")

static int make(char *start)
{
	struct uffdio_register area = { .range = { (uintptr_t)start, 4096 }, .mode = UFFDIO_REGISTER_MODE_MISSING };
	struct uffdio_api api = { .api = UFFD_API };
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);

	if (fd < 0 || ioctl(fd, UFFDIO_API, &api) < 0)
		skip("userfaultfd: %s", strerror(errno));
	must(ioctl(fd, UFFDIO_REGISTER, &area));
	return fd;
}

int main(void)
{
	char *memory = must(mmap(NULL, 2 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	int fds[] = { make(memory), make(memory + 4096) };

	checkpoint();

	for (int i = 0; i < 2; i++) {
		struct uffdio_zeropage zero = { .range = { (uintptr_t)memory + (size_t)i * 4096, 4096 } };

		must(ioctl(fds[i], UFFDIO_ZEROPAGE, &zero));
		CHECK_EQUAL(memory[i * 4096], 0);
	}
	return 0;
}
