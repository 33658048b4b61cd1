/* SPDX-License-Identifier: LGPL-2.1-only */
/* /proc/PID/mountinfo: 36 35 98:0 /root /point rw,noatime shared:1 - ext3 /dev/root rw,errors=continue */
#include "kern/proc/mountinfo.h"

#include <errno.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/sysmacros.h>

#include "base/array.h"
#include "base/auto.h"
#include "base/fail.h"
#include "base/text.h"
#include "base/vector.h"
#include "kern/proc/proc.h"
#include "kern/proc/scan.h"
#include "kern/syscalls.h"

static const struct {
	const char *word;
	unsigned long flag;
} flag_words[] = {
	{ "ro", MS_RDONLY },	     { "nosuid", MS_NOSUID },	  { "nodev", MS_NODEV },
	{ "noexec", MS_NOEXEC },     { "noatime", MS_NOATIME },	  { "nodiratime", MS_NODIRATIME },
	{ "sync", MS_SYNCHRONOUS },  { "dirsync", MS_DIRSYNC },	  { "mand", MS_MANDLOCK },
	{ "lazytime", MS_LAZYTIME }, { "relatime", MS_RELATIME }, { "nosymfollow", MS_NOSYMFOLLOW },
};

static unsigned long parse_flags(const char *options)
{
	unsigned long flags = 0;

	for (const char *p = options; *p; p += strspn(p, ",")) {
		size_t size = strcspn(p, ",");

		for (size_t i = 0; i < ARRAY_SIZE(flag_words); i++) {
			if (strlen(flag_words[i].word) == size && memcmp(flag_words[i].word, p, size) == 0)
				flags |= flag_words[i].flag;
		}
		p += size;
	}
	return flags;
}

/* Cuts at exactly one blank: the source of a mount may be empty. */
static char *cut_field(char **cursor)
{
	char *field = *cursor, *end;

	if (!field)
		return NULL;
	end = strchr(field, ' ');
	if (end)
		*end++ = '\0';
	*cursor = end;
	return field;
}

static bool parse_ids(struct proc_mount *mount, char **cursor)
{
	const char *id = cut_field(cursor), *parent = cut_field(cursor), *dev = cut_field(cursor);
	uint64_t major, minor;

	if (!dev || text_to_int(id, &mount->id) < 0 || text_to_int(parent, &mount->parent_id) < 0)
		return false;
	if (!scan_dec(&dev, &major) || !scan_char(&dev, ':') || !scan_dec(&dev, &minor) || *dev)
		return false;
	mount->dev = makedev((unsigned)major, (unsigned)minor);
	return true;
}

static bool parse_propagation(struct proc_mount *mount, const char *word)
{
	const char *group;

	if ((group = text_after(word, "shared:")))
		return text_to_int(group, &mount->shared) == 0;
	if ((group = text_after(word, "master:")))
		return text_to_int(group, &mount->master) == 0;
	if ((group = text_after(word, "propagate_from:")))
		return text_to_int(group, &mount->propagate_from) == 0;
	if (strcmp(word, "unbindable") == 0)
		mount->unbindable = true;
	return true; /* parsers should ignore unknown words, says the manual */
}

static bool parse_mount(struct proc_mount *mount, char *line, struct pool *pool)
{
	char *root, *point, *options, *word, *type, *source, *super, *dot;

	if (!parse_ids(mount, &line))
		return false;
	root = cut_field(&line);
	point = cut_field(&line);
	options = cut_field(&line);
	if (!options)
		return false;
	while ((word = cut_field(&line)) && strcmp(word, "-") != 0) {
		if (!parse_propagation(mount, word))
			return false;
	}
	type = cut_field(&line);
	source = cut_field(&line);
	super = line; /* the rest: a file system might print a blank */
	if (!word || !super)
		return false;

	mount->root = pool_string(pool, proc_unescape(root));
	mount->mountpoint = pool_string(pool, proc_unescape(point));
	mount->flags = parse_flags(options);
	mount->options = pool_string(pool, options);
	proc_unescape(type);
	dot = strchr(type, '.');
	if (dot) {
		*dot++ = '\0';
		mount->fs_subtype = pool_string(pool, dot);
	}
	mount->fs_type = pool_string(pool, type);
	mount->source = pool_string(pool, proc_unescape(source));
	mount->super_flags = parse_flags(super);
	mount->super_options = pool_string(pool, super);
	return true;
}

int proc_mounts_parse(char *text, struct pool *pool, struct proc_mounts *ret)
{
	char *line;

	ret->n = 0;
	while ((line = text_line(&text))) {
		struct proc_mount *mount = vector_push(ret);

		*mount = (struct proc_mount){ 0 };
		if (!parse_mount(mount, line, pool))
			return refuse(EINVAL, "cannot understand line %zu of /proc/PID/mountinfo", ret->n);
	}
	return 0;
}

int proc_mounts_read(int proc, struct pool *pool, struct proc_mounts *ret)
{
	AUTO(buffer_done) struct buffer text = { 0 };

	TRY(proc_read(proc, "mountinfo", &text));
	return proc_mounts_parse(text.data, pool, ret);
}

void proc_mounts_done(struct proc_mounts *mounts)
{
	vector_done(mounts);
}

const struct proc_mount *proc_mounts_find(const struct proc_mounts *mounts, int id)
{
	for (size_t i = 0; i < mounts->n; i++) {
		if (mounts->items[i].id == id)
			return &mounts->items[i];
	}
	return NULL;
}
