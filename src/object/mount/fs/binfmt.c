/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Formats of executables (binfmt_misc) that a tree has registered in its own user namespace, which has its own list
 * since Linux 6.7: binfmt-misc-DEV.img. That of the machine is not the tree's.
 */
#include "object/mount/fs/binfmt.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/array.h"
#include "base/auto.h"
#include "base/buffer.h"
#include "base/fail.h"
#include "base/file.h"
#include "base/log.h"
#include "base/text.h"
#include "binfmt-misc.pb-c.h"
#include "image/image.h"
#include "image/record.h"
#include "object/mount/mount-set.h"
#include "object/mount/save.h"
#include "object/namespace/namespace.h"
#include "session/loss.h"

#define SIZE_MAX_ENTRY 8192 /* of a file there: an interpreter, and 256 bytes twice as hex */

struct format {
	BinfmtMiscEntry *entry;
	struct timespec made; /* to the tick: may be the same */
	size_t place;	      /* in the directory, the youngest is first */
};

struct format_list {
	VECTOR(struct format) formats;
};

/* --- dump --- */

static bool is_control(const char *name)
{
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || strcmp(name, "register") == 0 ||
	       strcmp(name, "status") == 0;
}

static void parse_line(struct pool *pool, const char *line, BinfmtMiscEntry *entry)
{
	const struct {
		const char *word;
		char **to;
	} words[] = { { "interpreter ", &entry->interpreter },
		      { "flags: ", &entry->flags },
		      { "extension .", &entry->extension },
		      { "magic ", &entry->magic },
		      { "mask ", &entry->mask } };
	const char *offset = text_after(line, "offset ");

	if (strcmp(line, "enabled") == 0)
		entry->enabled = true;
	if (offset) {
		entry->has_offset = true;
		entry->offset = (int)strtol(offset, NULL, 10);
	}
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (text_starts(line, words[i].word))
			*words[i].to = pool_string(pool, line + strlen(words[i].word));
}

static int read_format(const struct dump *d, int dir, const char *name, struct format *format)
{
	AUTO_CLOSE int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	char text[SIZE_MAX_ENTRY], *rest = text, *line;
	ssize_t size = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	struct stat st;

	if (size < 0 || fstat(fd, &st) < 0)
		return fail_errno("reading the format %s", name);
	text[size] = 0;
	format->made = st.st_mtim;
	format->entry = pool_new(d->pool, BinfmtMiscEntry);
	binfmt_misc_entry__init(format->entry);
	format->entry->name = pool_string(d->pool, name);
	while ((line = strsep(&rest, "\n")))
		parse_line(d->pool, line, format->entry);
	return format->entry->interpreter && (format->entry->magic || format->entry->extension)
		       ? 0
		       : refuse(EINVAL, "the format %s is told in an unknown way", name);
}

static int read_formats(const struct dump *d, int root, struct format_list *list)
{
	int fd = openat(root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	AUTO_CLOSEDIR DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;

	if (!dir)
		return fail_errno("listing it");
	while ((entry = readdir(dir)))
		if (!is_control(entry->d_name)) {
			struct format *format = vector_push(&list->formats);

			format->place = list->formats.n;
			TRY(read_format(d, root, entry->d_name, format));
		}
	return 0;
}

/* The one that was registered last is asked first. */
static int compare_age(const void *a, const void *b)
{
	const struct format *one = a, *other = b;

	if (one->made.tv_sec != other->made.tv_sec)
		return one->made.tv_sec < other->made.tv_sec ? -1 : 1;
	if (one->made.tv_nsec != other->made.tv_nsec)
		return one->made.tv_nsec < other->made.tv_nsec ? -1 : 1;
	return one->place > other->place ? -1 : one->place < other->place;
}

static int write_formats(struct dump *d, const struct format_list *list, uint32_t dev)
{
	AUTO(image_close) struct image *image = NULL;

	TRY(image_create(dump_store(d), &image, IMAGE_BINFMT_MISC_OLD, dev));
	for (size_t i = 0; i < list->formats.n; i++)
		TRY(image_write(image, list->formats.items[i].entry));
	return image_finish(&image);
}

static int save_list(struct dump *d, const struct superblock *super, struct format_list *list)
{
	AUTO_CLOSE int root = -1;

	TRY(mount_reveal(d, super->widest, &root));
	TRY(read_formats(d, root, list));
	if (!list->formats.n)
		return 0;
	if (super->widest->space->namespace->owner) {
		dump_report_loss(d,
				 "%zu formats that were registered there (binfmt_misc): its user namespace is "
				 "not that of the root of the tree",
				 list->formats.n);
		return 0;
	}
	qsort(list->formats.items, list->formats.n, sizeof(list->formats.items[0]), compare_age);
	return write_formats(d, list, super->dev);
}

int binfmt_save(struct dump *d, const struct superblock *super)
{
	struct format_list list = { 0 };
	int error;

	if (!d->facts->ids && !super->widest->space->namespace->owner)
		return 0;
	LOG_SCOPE("%.80s", super->widest->entry->mountpoint);
	error = save_list(d, super, &list);
	vector_done(&list.formats);
	return error;
}

/* --- restore --- */

static void add_bytes(struct buffer *text, const char *hex)
{
	for (; hex && isxdigit((unsigned char)hex[0]) && isxdigit((unsigned char)hex[1]); hex += 2)
		buffer_printf(text, "\\x%.2s", hex);
}

/* ":name:M:offset:magic:mask:interpreter:flags" (Documentation/admin-guide/binfmt-misc.rst). */
static int print_format(const BinfmtMiscEntry *entry, struct buffer *text)
{
	static const char marks[] = ":|,;!^";
	const char *mark = marks;

	while (*mark && (strchr(entry->name, *mark) || strchr(entry->interpreter, *mark) ||
			 (entry->extension && strchr(entry->extension, *mark))))
		mark++;
	if (!*mark || strchr(entry->name, '/'))
		return refuse(EINVAL, "the format \"%s\" cannot be registered", entry->name);
	buffer_printf(text, "%c%s%c%c%c", *mark, entry->name, *mark, entry->extension ? 'E' : 'M', *mark);
	if (entry->extension) {
		buffer_printf(text, "%c%s%c", *mark, entry->extension, *mark);
	} else {
		buffer_printf(text, "%d%c", entry->offset, *mark);
		add_bytes(text, entry->magic);
		buffer_printf(text, "%c", *mark);
		add_bytes(text, entry->mask);
	}
	buffer_printf(text, "%c%s%c%s", *mark, entry->interpreter, *mark, entry->flags ?: "");
	return 0;
}

static int write_file(int dir, const char *name, const char *text, size_t size)
{
	AUTO_CLOSE int fd = openat(dir, name, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 || write(fd, text, size) != (ssize_t)size ? -errno : 0;
}

static int register_format(int root, const BinfmtMiscEntry *entry)
{
	AUTO(buffer_done) struct buffer text = { 0 };
	int error;

	TRY(print_format(entry, &text));
	error = write_file(root, "register", text.data, text.size);
	if (error == 0 && !entry->enabled)
		error = write_file(root, entry->name, "0", 1);
	return error < 0 ? fail(-error, "registering the format %s (binfmt_misc)", entry->name) : 0;
}

int binfmt_restore(struct restore *r, const struct mount *mount)
{
	AUTO(image_close) struct image *image = NULL;
	BinfmtMiscEntry *entry;
	int more;

	/* That of the machine stays as it is. */
	if (mount->space->namespace->owner || !namespace_of_root(restore_namespaces(r), r->tree, CLONE_NEWUSER, NULL))
		return 0;
	LOG_SCOPE("mount %u on %.60s", mount->entry->mnt_id, mount->entry->mountpoint);
	more = image_open(r->store, &image, IMAGE_BINFMT_MISC_OLD, mount->entry->root_dev);
	if (more == -ENOENT)
		return 0;
	TRY(more);
	while ((more = image_read(image, &entry)) > 0)
		TRY(register_format(mount->fd, entry));
	return more;
}
