// SPDX-License-Identifier: GPL-2.0-only
/* A private mapping of a file: pages changed by us are ours, the others are the file's; read-only and past the first
 * page. */
#include "subject.h"

SUBJECT()

#define PAGE (unsigned)getpagesize()
#define SIZE (16 * PAGE)

int main(void)
{
	int fd = must(open("data", O_RDWR | O_CREAT | O_EXCL, 0644));
	uint8_t *buffer = malloc(SIZE);

	fill(buffer, SIZE, 1);
	CHECK_EQUAL(write(fd, buffer, SIZE), SIZE);

	uint8_t *map = must(mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0));
	uint8_t *tail = must(mmap(NULL, 4 * PAGE, PROT_READ, MAP_PRIVATE, fd, 12 * PAGE));
	uint8_t *changed = must(mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0));
	uint8_t *shared = must(mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));

	must(close(fd));
	fill(map + 3 * PAGE, PAGE, 2);
	fill(changed, SIZE, 3);
	must(mprotect(changed, SIZE, PROT_READ));

	checkpoint();

	check_filled(changed, SIZE, 3);
	CHECK(!memcmp(map, buffer, 3 * PAGE));
	check_filled(map + 3 * PAGE, PAGE, 2);
	CHECK(!memcmp(map + 4 * PAGE, buffer + 4 * PAGE, 12 * PAGE));
	CHECK(!memcmp(tail, buffer + 12 * PAGE, 4 * PAGE));
	CHECK(!memcmp(shared, buffer, SIZE));

	/* A write through the shared mapping reaches the file, and the private page that nobody changed. */
	shared[15 * PAGE] ^= 0xff;
	CHECK_EQUAL(tail[3 * PAGE], shared[15 * PAGE]);
	fd = must(open("data", O_RDONLY));
	CHECK_EQUAL(pread(fd, buffer, 1, 15 * PAGE), 1);
	CHECK_EQUAL(buffer[0], shared[15 * PAGE]);
	return 0;
}
