// SPDX-License-Identifier: GPL-2.0-only
/* A hugetlbfs keeps its files, mapped and not, with holes and removed: their content, and what was written privately.
 */
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>

#include "subject.h"

SUBJECT(.dump_options = "--ghost-limit 10M")

#define HUGE (2l << 20)

static char *map_file(int fd, long size, int flags)
{
	char *map = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, flags, fd, 0);

	if (map == MAP_FAILED)
		skip("there are no free huge pages");
	return map;
}

static int make_file(const char *name, long size)
{
	int fd = must(open(name, O_RDWR | O_CREAT | O_EXCL, 0640));

	must(ftruncate(fd, size));
	return fd;
}

int main(void)
{
	char *shared, *private, *removed, *closed;
	struct stat st;
	int fd, gone, other;

	must(unshare(CLONE_NEWNS));
	must(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	must(mkdir("m", 0700));
	if (mount("huge", "m", "hugetlbfs", 0, "pagesize=2M") < 0)
		skip("this kernel has no hugetlbfs");
	must(mkdir("m/dir", 0751));
	fd = make_file("m/dir/file", 3 * HUGE);
	shared = map_file(fd, 3 * HUGE, MAP_SHARED | MAP_NORESERVE);
	private = map_file(fd, HUGE, MAP_PRIVATE);
	gone = make_file("m/gone", HUGE);
	removed = map_file(gone, HUGE, MAP_SHARED);
	other = make_file("m/closed", HUGE);
	closed = map_file(other, HUGE, MAP_SHARED);
	shared[5] = 's';
	shared[2 * HUGE + HUGE / 2] = 'S';
	private[5] = 'p';
	strcpy(removed + 4000, "removed");
	strcpy(closed + HUGE - 10, "closed");
	must(munmap(closed, HUGE));
	must(close(other));
	must(unlink("m/gone"));
	must(link("m/closed", "m/dir/link"));

	checkpoint();

	CHECK(shared[5] == 's' && shared[2 * HUGE + HUGE / 2] == 'S' && private[5] == 'p');
	CHECK(strcmp(removed + 4000, "removed") == 0);
	CHECK(fstat(gone, &st) == 0 && st.st_nlink == 0);
	CHECK(stat("m/dir/file", &st) == 0 && st.st_size == 3 * HUGE && (st.st_mode & 07777) == 0640);
	CHECK(st.st_blocks * 512 == 2 * HUGE); /* the page between was never there */
	CHECK(stat("m/dir/link", &st) == 0 && st.st_nlink == 2);
	closed = map_file(must(open("m/dir/link", O_RDWR)), HUGE, MAP_SHARED);
	CHECK(strcmp(closed + HUGE - 10, "closed") == 0);
	return 0;
}
