// SPDX-License-Identifier: GPL-2.0-only
/*
 * Preloaded into criu: soft-dirty bits on a kernel without them. What clear_refs would do is to note the content of all
 * pages, in a file of the directory $SOFT_DIRTY; a page that differs, or did when criu read it, is soft-dirty.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define PAGE	   4096ull
#define PRESENT	   (1ull << 63)
#define OF_FILE	   (1ull << 61)
#define SOFT_DIRTY (1ull << 55)
#define SPOILED	   0 /* instead of a sum */

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

struct page {
	uint64_t address, sum;
};

static ssize_t read_at(int fd, void *to, size_t size, uint64_t at)
{
	return ((ssize_t(*)(int, void *, size_t, off_t))dlsym(RTLD_NEXT, "pread64"))(fd, to, size, (off_t)at);
}

/* Is it this file of a process? Its pid, or 0. */
static int pid_of(int fd, const char *name)
{
	char path[64], link[256], rest[64];
	int pid, error = errno;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	n = readlink(path, link, sizeof(link) - 1);
	errno = error;
	if (n < 0)
		return 0;
	link[n] = '\0';
	return sscanf(link, "/proc/%d/%63s", &pid, rest) == 2 && !strcmp(rest, name) ? pid : 0;
}

static int open_of(int pid, const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	return open(path, O_RDONLY | O_CLOEXEC);
}

static FILE *open_notes(int pid, const char *mode)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%d", getenv("SOFT_DIRTY"), pid);
	return fopen(path, mode);
}

static uint64_t sum_words(const uint64_t words[PAGE / 8])
{
	uint64_t sum = 14695981039346656037ull;

	for (size_t i = 0; i < PAGE / 8; i++)
		sum = (sum ^ words[i]) * 1099511628211ull, sum ^= sum >> 29;
	return sum;
}

static bool sum_page(int mem, uint64_t address, uint64_t *ret)
{
	uint64_t words[PAGE / 8];

	if (read_at(mem, words, PAGE, address) != (ssize_t)PAGE)
		return false;
	*ret = sum_words(words);
	return true;
}

static void note_area(FILE *notes, int mem, int pagemap, uint64_t start, uint64_t end)
{
	for (; start < end; start += PAGE) {
		struct page page = { .address = start };
		uint64_t word;

		if (read_at(pagemap, &word, 8, start / PAGE * 8) != 8 || (word & (PRESENT | OF_FILE)) != PRESENT)
			continue;
		if (sum_page(mem, start, &page.sum))
			fwrite(&page, sizeof(page), 1, notes);
	}
}

static void note_all(int pid)
{
	FILE *notes = open_notes(pid, "w"), *maps;
	int mem = open_of(pid, "mem"), pagemap = open_of(pid, "pagemap");
	unsigned long start, end;
	char path[64], *line = NULL;
	size_t size = 0;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	maps = fopen(path, "r");
	while (getline(&line, &size, maps) > 0)
		if (sscanf(line, "%lx-%lx", &start, &end) == 2 && !strstr(line, "[v") && end - start < 1ul << 30)
			note_area(notes, mem, pagemap, start, end);
	free(line);
	fclose(maps);
	fclose(notes);
	close(mem);
	close(pagemap);
}

static int compare(const void *a, const void *b)
{
	const struct page *x = a, *y = b;

	return x->address < y->address ? -1 : x->address > y->address;
}

/* All that was noted, to be freed. Nothing (and *ret_n 0) without notes. */
static struct page *read_notes(FILE *notes, size_t *ret_n)
{
	struct stat st = { 0 };
	struct page *pages = NULL;

	*ret_n = 0;
	if (!notes || fstat(fileno(notes), &st) < 0 || !st.st_size)
		return NULL;
	pages = malloc((size_t)st.st_size);
	*ret_n = fread(pages, sizeof(*pages), (size_t)st.st_size / sizeof(*pages), notes);
	return pages;
}

/* The page is soft-dirty from now on. */
static void spoil(FILE *notes, const struct page *page, const struct page *pages)
{
	const struct page spoiled = { page->address, SPOILED };

	fseek(notes, (long)((page - pages) * (ptrdiff_t)sizeof(*page)), SEEK_SET);
	fwrite(&spoiled, sizeof(spoiled), 1, notes);
}

static void mark_words(int pid, uint64_t address, uint64_t *words, size_t n)
{
	FILE *notes = open_notes(pid, "r");
	int mem = open_of(pid, "mem");
	size_t n_pages;
	struct page *pages = read_notes(notes, &n_pages);

	for (size_t i = 0; i < n; i++) {
		struct page key = { .address = address + i * PAGE };
		const struct page *old;

		if ((words[i] & (PRESENT | OF_FILE)) != PRESENT)
			continue;
		old = bsearch(&key, pages, n_pages, sizeof(*pages), compare);
		if (!old || old->sum == SPOILED || !sum_page(mem, key.address, &key.sum) || old->sum != key.sum)
			words[i] |= SOFT_DIRTY;
	}
	free(pages);
	if (notes)
		fclose(notes);
	close(mem);
}

/*
 * A page that changed, was copied by criu, and then became what it was before (two areas that change places twice, a
 * stack) is soft-dirty too: what was read is not what is noted.
 */
static void compare_read(FILE *notes, const struct page *pages, size_t n, const char *got, uint64_t at, size_t size)
{
	for (size_t skip = (PAGE - at % PAGE) % PAGE; skip + PAGE <= size; skip += PAGE) {
		struct page key = { .address = at + skip };
		struct page *page = bsearch(&key, pages, n, sizeof(*pages), compare);
		uint64_t words[PAGE / 8];

		memcpy(words, got + skip, PAGE);
		if (page && page->sum != sum_words(words))
			spoil(notes, page, pages);
	}
}

static void note_read(int pid, const char *got, const struct iovec *parts, size_t n_parts, size_t size)
{
	size_t n;
	FILE *notes = open_notes(pid, "r+");
	struct page *pages = read_notes(notes, &n);

	for (size_t i = 0; i < n_parts && size; i++) {
		size_t part = parts[i].iov_len < size ? parts[i].iov_len : size;

		compare_read(notes, pages, n, got, (uintptr_t)parts[i].iov_base, part);
		got += part;
		size -= part;
	}
	free(pages);
	if (notes)
		fclose(notes);
}

ssize_t process_vm_readv(pid_t pid, const struct iovec *local, unsigned long n_local, const struct iovec *parts,
			 unsigned long n, unsigned long flags)
{
	ssize_t got = REAL(process_vm_readv)(pid, local, n_local, parts, n, flags);

	if (got >= (ssize_t)PAGE && n_local == 1 && getenv("SOFT_DIRTY"))
		note_read(pid, local->iov_base, parts, n, (size_t)got);
	return got;
}

ssize_t pread(int fd, void *to, size_t size, off_t at)
{
	const struct iovec part = { (void *)(uintptr_t)at, size };
	ssize_t n = read_at(fd, to, size, (uint64_t)at);
	int pid;

	if (n <= 0 || !getenv("SOFT_DIRTY"))
		return n;
	pid = pid_of(fd, "pagemap");
	if (pid)
		mark_words(pid, (uint64_t)at / 8 * PAGE, to, (size_t)n / 8);
	pid = n >= (ssize_t)PAGE ? pid_of(fd, "mem") : 0;
	if (pid)
		note_read(pid, to, &part, 1, (size_t)n);
	return n;
}

ssize_t write(int fd, const void *from, size_t size)
{
	int pid = size == 1 && *(const char *)from == '4' && getenv("SOFT_DIRTY") ? pid_of(fd, "clear_refs") : 0;

	if (pid) {
		note_all(pid);
		return 1;
	}
	return REAL(write)(fd, from, size);
}

/* A write of the same makes it soft-dirty too. */
ssize_t pwrite(int fd, const void *from, size_t size, off_t at)
{
	int pid = getenv("SOFT_DIRTY") ? pid_of(fd, "mem") : 0;
	FILE *notes = pid ? open_notes(pid, "r+") : NULL;
	struct page key = { .address = (uint64_t)at / PAGE * PAGE }, *pages, *page;
	size_t n;

	pages = read_notes(notes, &n);
	page = bsearch(&key, pages, n, sizeof(*pages), compare);
	if (page)
		spoil(notes, page, pages);
	free(pages);
	if (notes)
		fclose(notes);
	return ((ssize_t(*)(int, const void *, size_t, off_t))dlsym(RTLD_NEXT, "pwrite64"))(fd, from, size, at);
}
