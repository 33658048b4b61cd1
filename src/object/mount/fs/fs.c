/* SPDX-License-Identifier: GPL-2.0-only */
/* The file systems: which of them can be made again, and by which options. */
#include "object/mount/fs/fs.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/buffer.h"
#include "base/auto.h"
#include "base/text.h"
#include "session/ids.h"

#define SERVED "is served by a process, which may not be there at restore"

/* In the order of the format. */
static const struct fs_kind kinds[] = {
	{ "proc", FSTYPE__PROC, .anew = true },
	{ "sysfs", FSTYPE__SYSFS, .anew = true },
	{ "devtmpfs", FSTYPE__DEVTMPFS, .anew = true, .one = true },
	{ "binfmt_misc", FSTYPE__BINFMT_MISC, .anew = true, .one = true, .each_user = true },
	{ "tmpfs", FSTYPE__TMPFS, .anew = true, .apart = true, .content = true },
	{ "devpts", FSTYPE__DEVPTS, .anew = true, .apart = true, .add = "newinstance" },
	{ "simfs", FSTYPE__SIMFS, .why = "is known to OpenVZ only" },
	{ "pstore", FSTYPE__PSTORE, .anew = true, .one = true },
	{ "securityfs", FSTYPE__SECURITYFS, .anew = true, .one = true },
	{ "fusectl", FSTYPE__FUSECTL, .anew = true },
	{ "debugfs", FSTYPE__DEBUGFS, .anew = true, .one = true },
	{ "cgroup", FSTYPE__CGROUP, .anew = true },
	{ "aufs", FSTYPE__AUFS, .why = "is no part of Linux" },
	{ "mqueue", FSTYPE__MQUEUE, .anew = true },
	{ "fuse", FSTYPE__FUSE, .anew = true, .served = true, .why = SERVED },
	{ "fuseblk", FSTYPE__FUSE, .why = SERVED },
	{ "overlay", FSTYPE__OVERLAYFS, .anew = true, .late = true },
	{ "autofs", FSTYPE__AUTOFS, .anew = true, .apart = true, .served = true, .why = SERVED },
	{ "tracefs", FSTYPE__TRACEFS, .anew = true, .one = true },
	{ "cgroup2", FSTYPE__CGROUP2, .anew = true },
	/* The format has no numbers for these: they are told by name. */
	{ "ramfs", FSTYPE__AUTO, .anew = true, .apart = true, .content = true },
	{ "hugetlbfs", FSTYPE__AUTO, .anew = true, .apart = true, .content = true },
	{ "bpf", FSTYPE__AUTO, .anew = true, .apart = true, .pins = true },
	{ "configfs", FSTYPE__AUTO, .anew = true, .one = true },
	{ "efivarfs", FSTYPE__AUTO, .anew = true, .one = true },
	{ "selinuxfs", FSTYPE__AUTO, .anew = true, .one = true },
};

#define N_KINDS (ARRAY_SIZE(kinds))

const struct fs_kind *fs_find(const char *name)
{
	for (size_t i = 0; i < N_KINDS; i++)
		if (strcmp(kinds[i].name, name) == 0)
			return &kinds[i];
	return NULL;
}

const struct fs_kind *fs_find_recorded(const MntEntry *entry)
{
	if (entry->fstype == FSTYPE__AUTO)
		return entry->fsname ? fs_find(entry->fsname) : NULL;
	for (size_t i = 0; i < N_KINDS; i++)
		if (kinds[i].type == entry->fstype)
			return &kinds[i];
	return NULL;
}

bool fs_is_enabled(const struct dump *d, const char *name)
{
	const struct opt_list *list = &d->options->enable_fs;

	for (size_t i = 0; i < list->n; i++)
		if (strcmp(list->items[i], name) == 0 || strcmp(list->items[i], "all") == 0)
			return true;
	return false;
}

/* Shown with the options, but told otherwise when it is mounted, or not at all. */
static bool is_no_option(const char *word, size_t size)
{
	static const char *const words[] = { "rw", "ro", "sync", "dirsync", "mand", "lazytime", "seclabel" };

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (strlen(words[i]) == size && memcmp(words[i], word, size) == 0)
			return true;
	return size == 0;
}

/* Owners of the files of it, as the tree sees them: "uid=1000" */
static bool add_owner(const struct dump *d, struct buffer *text, const char *word, size_t size)
{
	bool uid = text_starts(word, "uid="), gid = text_starts(word, "gid=");
	uint32_t outer, inner;
	char *end;

	if (!d->facts->ids || (!uid && !gid))
		return false;
	outer = (uint32_t)strtoul(word + strlen("uid="), &end, 10);
	if (end != word + size)
		return false;
	inner = uid ? dump_inner_uid(d, outer) : dump_inner_gid(d, outer);
	/* One that is not to be seen there cannot be asked for: root has it then. */
	if (inner != NO_ID)
		buffer_printf(text, "%s%.4s%u", text->size ? "," : "", word, inner);
	return true;
}

char *fs_options(const struct dump *d, const struct fs_kind *fs, const char *shown)
{
	AUTO(buffer_done) struct buffer text = { 0 };

	buffer_append(&text, "", 0);
	for (const char *p = shown; *p; p += strspn(p, ",")) {
		size_t size = strcspn(p, ",");

		if (!is_no_option(p, size) && !add_owner(d, &text, p, size))
			buffer_printf(&text, "%s%.*s", text.size ? "," : "", (int)size, p);
		p += size;
	}
	if (fs && fs->add)
		buffer_printf(&text, "%s%s", text.size ? "," : "", fs->add);
	return pool_string(d->pool, text.data);
}

const char *fs_with_context(struct pool *pool, const char *options, const char *context)
{
	AUTO(buffer_done) struct buffer text = { 0 };

	buffer_append(&text, "", 0);
	for (const char *p = options; *p; p += strspn(p, ",")) {
		size_t size = strcspn(p, ",");
		bool quoted = text_starts(p, "context=\"");

		/* Its categories may be separated by commas. */
		if (quoted && strchr(p + strlen("context=\""), '"'))
			size = (size_t)(strchr(p + strlen("context=\""), '"') + 1 - p);
		if (text_starts(p, "context="))
			buffer_printf(&text, "%scontext=%s", text.size ? "," : "", context);
		else
			buffer_printf(&text, "%s%.*s", text.size ? "," : "", (int)size, p);
		p += size;
	}
	return pool_string(pool, text.data);
}
