/* SPDX-License-Identifier: GPL-2.0-only */
/* Is a file that is opened again still the one that was open? Size, permission bits, build id. */
#include "object/file/validate.h"

#include <elf.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/io.h"
#include "base/log.h"
#include "base/pool.h"
#include "options/options.h"

#define SEARCHED_SIZE (1u << 20)
#define HEADERS_MAX   256
#define ALIGN4(x)     (((x) + 3u) & ~3u)

/* In the notes at [at, at + size): copies the build id, returns its length. */
/* Its beginning, in which all that is looked for lies as a rule. */
struct elf {
	int fd;
	size_t n;
	uint8_t begin[1024];
};

static bool read_at(const struct elf *elf, void *to, size_t size, uint64_t at)
{
	if (at <= elf->n && size <= elf->n - at) {
		memcpy(to, elf->begin + at, size);
		return true;
	}
	return io_pread(elf->fd, to, size, (off_t)at) == (ssize_t)size;
}

static int find_note(const uint8_t *notes, size_t size, uint8_t id[BUILD_ID_MAX])
{
	size_t at = 0;

	while (at + sizeof(Elf64_Nhdr) <= size) {
		Elf64_Nhdr head; /* the same in both classes */
		size_t name, content;

		memcpy(&head, notes + at, sizeof(head));
		if (head.n_namesz > size || head.n_descsz > size)
			return 0;
		name = at + sizeof(head);
		content = name + ALIGN4(head.n_namesz);
		at = content + ALIGN4(head.n_descsz);
		if (content + head.n_descsz > size)
			return 0;
		if (head.n_type != NT_GNU_BUILD_ID || head.n_namesz != 4 || memcmp(notes + name, "GNU", 4) != 0)
			continue;
		if (head.n_descsz > BUILD_ID_MAX)
			return 0;
		memcpy(id, notes + content, head.n_descsz);
		return (int)head.n_descsz;
	}
	return 0;
}

static int search_notes(const struct elf *elf, uint64_t at, uint64_t size, uint8_t id[BUILD_ID_MAX])
{
	AUTO_FREE uint8_t *notes = NULL;

	if (at >= SEARCHED_SIZE || size > SEARCHED_SIZE - at)
		return 0;
	notes = xmalloc(size + 1);
	return read_at(elf, notes, size, at) ? find_note(notes, size, id) : 0;
}

static int search_file(const struct elf *elf, uint8_t id[BUILD_ID_MAX])
{
	bool wide = elf->begin[EI_CLASS] == ELFCLASS64;
	union {
		Elf64_Ehdr wide;
		Elf32_Ehdr narrow;
	} head;
	uint64_t at;
	unsigned n, step;

	if (!read_at(elf, &head, wide ? sizeof(head.wide) : sizeof(head.narrow), 0))
		return 0;
	at = wide ? head.wide.e_phoff : head.narrow.e_phoff;
	n = wide ? head.wide.e_phnum : head.narrow.e_phnum;
	step = wide ? head.wide.e_phentsize : head.narrow.e_phentsize;
	for (unsigned i = 0; i < n && i < HEADERS_MAX && at < SEARCHED_SIZE; i++, at += step) {
		Elf64_Phdr program = { 0 };
		Elf32_Phdr narrow = { 0 };
		int length = 0;

		if (wide) {
			if (!read_at(elf, &program, sizeof(program), at))
				return 0;
		} else {
			if (!read_at(elf, &narrow, sizeof(narrow), at))
				return 0;
			program.p_type = narrow.p_type;
			program.p_offset = narrow.p_offset;
			program.p_filesz = narrow.p_filesz;
		}
		if (program.p_type == PT_NOTE)
			length = search_notes(elf, program.p_offset, program.p_filesz, id);
		if (length)
			return length;
	}
	return 0;
}

int validate_read_build_id(int fd, uint8_t id[BUILD_ID_MAX])
{
	AUTO_CLOSE int readable = -1;
	struct elf elf = { .fd = fd };
	ssize_t got = pread(fd, elf.begin, sizeof(elf.begin), 0);
	char name[32];

	if (got < 0 && errno == EBADF) { /* open for writing only, or O_PATH */
		snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
		readable = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
		if (readable < 0)
			return -errno;
		elf.fd = readable;
		got = pread(elf.fd, elf.begin, sizeof(elf.begin), 0);
	}
	if (got < EI_NIDENT || memcmp(elf.begin, ELFMAG, SELFMAG) != 0)
		return 0;
	elf.n = (size_t)got;
	return search_file(&elf, id);
}

static int check_build_id(const RegFileEntry *record, int fd)
{
	uint8_t id[BUILD_ID_MAX + 4] = { 0 };
	int length = validate_read_build_id(fd, id);

	if (length < 0)
		return fail(-length, "reading its build id");
	if (record->n_build_id == (size_t)(length + 3) / 4 && memcmp(record->build_id, id, record->n_build_id * 4) == 0)
		return 0;
	return refuse(
		EINVAL,
		"it is another program or library than at the dump (its build id differs): put the old one back, or "
		"use --file-validation filesize if you know that it fits");
}

/* Whoever makes it again says who may use it: LXC does so before the restore. */
static bool is_cgroup(int fd)
{
	struct statfs fs;

	return fstatfs(fd, &fs) == 0 && (fs.f_type == CGROUP_SUPER_MAGIC || fs.f_type == CGROUP2_SUPER_MAGIC);
}

int validate_file(const struct options *options, const RegFileEntry *record, int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return errno == ENOENT
			       ? 0
			       : fail_errno("looking at the file (fstat)"); /* /proc/PID of a process that is dead */
	if (record->has_mode && (st.st_mode & S_IFMT) != (record->mode & S_IFMT))
		return refuse(EINVAL,
			      "it is a file of another type now (mode 0%o, was 0%o): put the old one back, or give it "
			      "with --inherit-fd fd[N]:%s",
			      st.st_mode, record->mode, record->name + 1);
	if (record->has_mode && st.st_mode != record->mode && !options->skip_file_rwx_check && !is_cgroup(fd))
		return refuse(EINVAL, "its mode was 0%o and is 0%o now: set it back, or use --skip-file-rwx-check",
			      record->mode, st.st_mode);
	if (!S_ISREG(st.st_mode) || !record->has_size)
		return 0;
	if ((uint64_t)st.st_size != record->size)
		return refuse(EINVAL,
			      "its size was %llu and is %llu now: the program would not find what it left there; put "
			      "back the file as it was, "
			      "or give it with --inherit-fd fd[N]:%s",
			      (unsigned long long)record->size, (unsigned long long)st.st_size, record->name + 1);
	if (options->file_validation == OPT_FILE_BUILD_ID && record->n_build_id)
		return check_build_id(record, fd);
	return 0;
}
