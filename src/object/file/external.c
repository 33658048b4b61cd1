/* SPDX-License-Identifier: GPL-2.0-only */
/* Files that the user provides: --external file[MNT:INODE] at the dump, --inherit-fd fd[N]:file[MNT:INODE] at the
 * restore. */
#include "object/file/external.h"

#include <fcntl.h>
#include <stdio.h>

#include "base/fail.h"
#include "base/log.h"
#include "base/text.h"
#include "session/given.h"
#include "session/needs.h"

bool file_is_given(const struct dump *d, const struct open_file *of)
{
	char key[64];

	if (!d->options->external.n || of->link[0] != '/')
		return false;
	snprintf(key, sizeof(key), "file[%x:%lx]", (unsigned)of->mnt_id, (unsigned long)of->stat.st_ino);
	return given_is_external(d->options, key);
}

/* What is looked up where it is needed, with the brackets. */
static const char *const words[] = { "file[", "tty[",  "unix[",	   "mnt[",    "dev[", "net[",
				     "pid[",  "veth[", "macvlan[", "netdev[", NULL };

static bool is_known(const char *key)
{
	for (const char *const *word = words; *word; word++)
		if (text_starts(key, *word))
			return true;
	return false;
}

void file_check_external(const struct options *options)
{
	const struct opt_list *list = &options->external;

	for (size_t i = 0; i < list->n; i++)
		if (!is_known(list->items[i]))
			log_warn("--external %s: criu knows no objects of that kind, nothing is left out for it",
				 list->items[i]);
}

/* The core chooses this kind itself, as it depends on the options. */
static bool is_nothing(const struct open_file *of)
{
	return false;
}

static bool claims_external(const FileEntry *entry)
{
	return entry->reg->has_ext && entry->reg->ext;
}

static int dump_external(const struct dump *d, const struct open_file *of, FileEntry *out)
{
	RegFileEntry *record = out->reg;

	record->id = of->id;
	record->flags = of->flags;
	record->pos = of->pos;
	record->fown = of->owner;
	record->has_ext = record->ext = true;
	record->name = pool_printf(d->pool, "file[%x:%lx]", (unsigned)of->mnt_id, (unsigned long)of->stat.st_ino);
	return 0;
}

static int need_external(const struct restore *r, struct file *f)
{
	const char *key = f->entry->reg->name;

	if (!given_has_descriptor(r, key))
		(void)needs_add(r, NEED_DESCRIPTOR, key, "a file that the dump left out");
	return 0;
}

static int create_external(struct restore *r, struct file *f)
{
	int given = given_descriptor(r, f->entry->reg->name, &f->fd);

	if (given != -ENOENT)
		return given;
	return refuse(ENOENT, "it is a file outside: give one with --inherit-fd 'fd[N]:%s'", f->entry->reg->name);
}

const struct file_kind external_kind = {
	.name = "external",
	.type = FD_TYPES__REG,
	.entry = offsetof(FileEntry, reg),
	.is = is_nothing,
	.claims = claims_external,
	.dump = dump_external,
	.needs = need_external,
	.create = create_external,
};
