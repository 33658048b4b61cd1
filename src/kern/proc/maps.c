/* SPDX-License-Identifier: LGPL-2.1-only */
/* /proc/PID/maps and smaps. Parsed by hand and while reading: smaps of 20 000 mappings are 14 MB of text. */
#include "kern/proc/maps.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/array.h"
#include "base/auto.h"
#include "base/fail.h"
#include "base/text.h"
#include "base/vector.h"
#include "kern/proc/proc.h"
#include "kern/proc/scan.h"

#define READ_SIZE (128 * 1024)
#define SOME_SIZE (16 * 1024) /* two dozens of areas in smaps */

#define PAIR(a, b) (((a) - 'a') * 26 + (b) - 'a')

/* Number of the bit plus one, by the pair of letters. */
static const uint8_t flag_bits[26 * 26] = {
#define FLAG_ROW(name, a, b) [PAIR(a, b)] = VMF_##name##_BIT + 1,
	VM_FLAGS(FLAG_ROW)
#undef FLAG_ROW
};

static uint64_t parse_flags(const char *text, const char *end)
{
	uint64_t flags = 0;

	for (; end - text >= 2; text += 3) {
		unsigned a = (unsigned)text[0] - 'a', b = (unsigned)text[1] - 'a';
		unsigned bit = a < 26 && b < 26 ? flag_bits[a * 26 + b] : 0;

		flags |= bit ? 1ull << (bit - 1) : VMF_UNKNOWN;
	}
	return flags;
}

/* The kernel escapes only newlines in these names; " (deleted)" follows the path of an unlinked file. */
static void take_name(struct mappings *mappings, struct mapping *mapping, const char *text, const char *end)
{
	static const char deleted[] = " (deleted)";
	size_t size = (size_t)(end - text), tail = sizeof(deleted) - 1;
	char *name, *newline;

	if (size == 0)
		return;
	if (size > tail && memcmp(end - tail, deleted, tail) == 0) {
		mapping->deleted = true;
		size -= tail;
	}
	if (mappings->n > 1) {
		const struct mapping *before = mapping - 1;

		/* Neighbours are mostly of the same file. */
		if (before->name && strncmp(before->name, text, size) == 0 && !before->name[size] &&
		    !memmem(text, size, "\\012", 4)) {
			mapping->name = before->name;
			return;
		}
	}
	name = pool_alloc(mappings->names, size + 1);
	memcpy(name, text, size);
	while ((newline = strstr(name, "\\012"))) {
		*newline = '\n';
		memmove(newline + 1, newline + 4, strlen(newline + 4) + 1);
	}
	mapping->name = name;
}

/* "7f01000-7f02000 rw-p 00001000 fd:01 1234     /path" */
static bool parse_head(struct mappings *mappings, struct mapping *mapping, const char *p, const char *end)
{
	uint64_t major, minor, inode;

	if (!scan_hex(&p, &mapping->start) || !scan_char(&p, '-') || !scan_hex(&p, &mapping->end) ||
	    !scan_char(&p, ' ') || end - p < 5)
		return false;
	mapping->prot = (p[0] == 'r' ? PROT_READ : 0) | (p[1] == 'w' ? PROT_WRITE : 0) | (p[2] == 'x' ? PROT_EXEC : 0);
	mapping->shared = p[3] == 's';
	p += 4;
	if (!scan_char(&p, ' ') || !scan_hex(&p, &mapping->pgoff) || !scan_char(&p, ' ') || !scan_hex(&p, &major) ||
	    !scan_char(&p, ':') || !scan_hex(&p, &minor) || !scan_char(&p, ' ') || !scan_dec(&p, &inode) ||
	    mapping->start >= mapping->end)
		return false;
	mapping->dev = makedev((unsigned)major, (unsigned)minor);
	mapping->inode = inode;
	while (p < end && *p == ' ')
		p++;
	if (p > end)
		return false;
	take_name(mappings, mapping, p, end);
	return true;
}

/* Only these lines of smaps matter, and VmFlags, KernelPageSize, ProtectionKey. */
struct size_row {
	const char *key;
	size_t size;
	size_t offset;
};

#define SIZE_ROW(key, member)                                          \
	{                                                              \
		key, sizeof(key) - 1, offsetof(struct mapping, member) \
	}

static const struct size_row sizes[] = {
	SIZE_ROW("Rss:", rss_kb),
	SIZE_ROW("AnonHugePages:", anon_huge_kb),
	SIZE_ROW("Anonymous:", anonymous_kb),
	SIZE_ROW("Swap:", swap_kb),
	SIZE_ROW("Locked:", locked_kb),
	SIZE_ROW("Shared_Clean:", shared_kb),
	SIZE_ROW("Shared_Dirty:", shared_kb),
};

/* Moves behind the key of the line and the blanks that follow, if it is this one. */
static bool scan_key(const char **line, const char *end, const char *key, size_t size)
{
	if (**line != *key || (size_t)(end - *line) < size || memcmp(*line, key, size) != 0)
		return false;
	*line += size;
	scan_blanks(line);
	return true;
}

#define SCAN_KEY(line, end, key) scan_key((line), (end), (key), sizeof(key) - 1)

static void parse_size(struct mapping *mapping, const char *line, const char *end)
{
	uint64_t number;

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		if (!scan_key(&line, end, sizes[i].key, sizes[i].size))
			continue;
		if (scan_dec(&line, &number))
			*(uint64_t *)((char *)mapping + sizes[i].offset) = number;
		return;
	}
}

static void parse_detail(struct mapping *mapping, const char *line, const char *end)
{
	uint64_t number;

	switch (*line) { /* three of four lines are none of these */
	case 'V':
		if (SCAN_KEY(&line, end, "VmFlags:"))
			mapping->vm_flags = parse_flags(line, end);
		break;
	case 'K':
		if (SCAN_KEY(&line, end, "KernelPageSize:") && scan_dec(&line, &number))
			mapping->kernel_page_size = (uint32_t)(number * 1024);
		break;
	case 'P':
		if (SCAN_KEY(&line, end, "ProtectionKey:") && scan_dec(&line, &number))
			mapping->pkey = (int32_t)number;
		break;
	case 'R':
	case 'A':
	case 'S':
	case 'L':
		parse_size(mapping, line, end);
		break;
	}
}

ssize_t mappings_parse(struct mappings *mappings, const char *text, size_t size)
{
	const char *p = text, *all = text + size, *end;

	if (!mappings->names)
		mappings->names = pool_create();
	for (; p < all && (end = memchr(p, '\n', (size_t)(all - p))); p = end + 1) {
		if ((*p >= '0' && *p <= '9') || (*p >= 'a' && *p <= 'f')) {
			struct mapping *mapping = vector_push(mappings);

			*mapping = (struct mapping){ 0 };
			if (!parse_head(mappings, mapping, p, end))
				return refuse(EINVAL, "cannot understand the mapping \"%.*s\"", (int)(end - p), p);
		} else if (mappings->n) {
			parse_detail(&mappings->items[mappings->n - 1], p, end);
		} else {
			return refuse(EINVAL, "smaps begin with \"%.*s\"", (int)(end - p), p);
		}
	}
	return p - text;
}

/* All details of the last mapping may not be there yet: without it. */
static bool is_enough(mappings_enough *enough, void *arg, struct mappings *mappings)
{
	bool result;

	if (!enough || mappings->n < 2)
		return false;
	mappings->n--;
	result = enough(arg, mappings);
	if (!result)
		mappings->n++;
	return result;
}

/* quiet: a process that is gone by now is no failure. */
static int read_lines(int fd, const char *file, bool quiet, mappings_enough *enough, void *arg,
		      struct mappings *mappings)
{
	AUTO_FREE char *text = xmalloc(READ_SIZE);
	const size_t piece = enough ? SOME_SIZE : READ_SIZE;
	size_t kept = 0;

	for (;;) {
		size_t room = READ_SIZE - kept;
		ssize_t used, n = read(fd, text + kept, room < piece ? room : piece);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return quiet ? -errno : proc_fail(errno, file);
		if (n == 0)
			break;
		kept += (size_t)n;
		used = mappings_parse(mappings, text, kept);
		if (used < 0)
			return (int)used;
		kept -= (size_t)used;
		memmove(text, text + used, kept);
		if (kept == READ_SIZE)
			return refuse(EINVAL, "a line of /proc/PID/%s is longer than %d bytes", file, READ_SIZE);
		if (is_enough(enough, arg, mappings))
			return 0;
	}
	return kept ? refuse(EINVAL, "/proc/PID/%s ends within a line", file) : 0;
}

static int read_file(int proc, enum mappings_mode mode, bool quiet, mappings_enough *enough, void *arg,
		     struct mappings *ret)
{
	const char *file = mode == MAPPINGS_FULL ? "smaps" : "maps";
	AUTO_CLOSE int fd = openat(proc, file, O_RDONLY | O_CLOEXEC);
	int error;

	*ret = (struct mappings){ 0 };
	if (fd < 0)
		return quiet ? -errno : proc_fail(errno, file);
	error = read_lines(fd, file, quiet, enough, arg, ret);
	if (error < 0)
		mappings_done(ret);
	return error;
}

int mappings_read(int proc, enum mappings_mode mode, struct mappings *ret)
{
	return read_file(proc, mode, false, NULL, NULL, ret);
}

int mappings_read_running(int proc, enum mappings_mode mode, struct mappings *ret)
{
	return read_file(proc, mode, true, NULL, NULL, ret);
}

int mappings_read_some(int proc, mappings_enough *enough, void *arg, struct mappings *ret)
{
	return read_file(proc, MAPPINGS_FULL, true, enough, arg, ret);
}

void mappings_done(struct mappings *mappings)
{
	vector_done(mappings);
	pool_destroy(&mappings->names);
}

const struct mapping *mappings_find(const struct mappings *mappings, uint64_t address)
{
	size_t low = 0, high = mappings->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct mapping *mapping = &mappings->items[middle];

		if (address < mapping->start)
			high = middle;
		else if (address >= mapping->end)
			low = middle + 1;
		else
			return mapping;
	}
	return NULL;
}
