/* SPDX-License-Identifier: LGPL-2.1-only */
/* Mounts by descriptors: open_tree(2), move_mount(2), mount_setattr(2), fsopen(2). */
#include "kern/mountapi.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "base/array.h"
#include "base/auto.h"
#include "base/fail.h"
#include "base/pool.h"
#include "kern/proc/proc.h"
#include "kern/syscalls.h"

int mountapi_clone(int dir, const char *path)
{
	int fd = open_tree(dir, path,
			   OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT);

	return fd < 0 ? -errno : fd;
}

int mountapi_clone_all(int dir)
{
	int fd = open_tree(dir, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | AT_RECURSIVE);

	return fd < 0 ? -errno : fd;
}

int mountapi_attach(int mount, int dir, const char *path)
{
	return move_mount(mount, "", dir, path, MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0 ? -errno : 0;
}

static int set_attributes(int mount, struct mount_attr *attr)
{
	return mount_setattr(mount, "", AT_EMPTY_PATH, attr, sizeof(*attr)) < 0 ? -errno : 0;
}

static const struct {
	unsigned long flag;
	uint64_t attribute;
} attributes[] = {
	{ MS_RDONLY, MOUNT_ATTR_RDONLY },	  { MS_NOSUID, MOUNT_ATTR_NOSUID },
	{ MS_NODEV, MOUNT_ATTR_NODEV },		  { MS_NOEXEC, MOUNT_ATTR_NOEXEC },
	{ MS_NODIRATIME, MOUNT_ATTR_NODIRATIME }, { MS_NOSYMFOLLOW, MOUNT_ATTR_NOSYMFOLLOW },
};

int mountapi_set_flags(int mount, unsigned long flags)
{
	struct mount_attr attr = { .attr_clr = MOUNT_ATTR__ATIME };

	for (size_t i = 0; i < ARRAY_SIZE(attributes); i++) {
		if (flags & attributes[i].flag)
			attr.attr_set |= attributes[i].attribute;
		else
			attr.attr_clr |= attributes[i].attribute;
	}
	if (flags & MS_NOATIME)
		attr.attr_set |= MOUNT_ATTR_NOATIME;
	else if (!(flags & MS_RELATIME))
		attr.attr_set |= MOUNT_ATTR_STRICTATIME;
	return set_attributes(mount, &attr);
}

int mountapi_set_propagation(int mount, unsigned long type)
{
	struct mount_attr attr = { .propagation = type };

	return set_attributes(mount, &attr);
}

int mountapi_set_group(int from, int to)
{
	const unsigned flags = MOVE_MOUNT_SET_GROUP | MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH;

	return move_mount(from, "", to, "", flags) < 0 ? -errno : 0;
}

/* What the kernel has to say about a context: "e tmpfs: Bad value for 'size'"; errno stays. */
static int fail_context(int context, const char *what)
{
	int error = errno;
	char text[256];
	ssize_t size = read(context, text, sizeof(text) - 1);

	if (size <= 2)
		return fail(error, "%s", what);
	text[size] = 0;
	text[strcspn(text, "\n")] = 0;
	return fail(error, "%s: the kernel says \"%s\"", what, text + 2);
}

/* Cuts off the next option; commas in quotes are part of it (context="a:b:c:s0:c1,c2"). NULL at the end. */
static char *cut_option(char **rest)
{
	char *option = *rest, *end = option;
	bool quoted = false;

	if (!option || !*option)
		return NULL;
	for (; *end && (quoted || *end != ','); end++)
		quoted ^= *end == '"';
	*rest = *end ? end + 1 : end;
	*end = 0;
	return option;
}

static char *strip_quotes(char *value)
{
	size_t size = strlen(value);

	if (size < 2 || value[0] != '"' || value[size - 1] != '"')
		return value;
	value[size - 1] = 0;
	return value + 1;
}

#define VALUE_MAX 255 /* fsconfig(2) takes no more, unlike mount(2) */

/* Cuts off the next layer of "/a:/b::/data", with backslashes in front of colons in names. */
static char *cut_layer(char **rest, bool *ret_data)
{
	char *layer, *to;

	*ret_data = (*rest)[0] == ':';
	*rest += *ret_data;
	layer = to = *rest;
	for (; **rest && **rest != ':'; ++*rest) {
		if (**rest == '\\' && (*rest)[1])
			++*rest;
		*to++ = **rest;
	}
	*rest += **rest == ':';
	*to = 0;
	return layer;
}

/* One by one, as far as the kernel can (6.8). */
static int set_layers(int context, char *layers)
{
	bool data;

	while (*layers) {
		char *layer = cut_layer(&layers, &data);

		if (fsconfig(context, FSCONFIG_SET_STRING, data ? "datadir+" : "lowerdir+", layer, 0) < 0)
			return fail_context(context, "lowerdir, which is longer than 255 characters (needs Linux 6.8)");
	}
	return 0;
}

static int set_option(int context, char *option)
{
	char *value = strchr(option, '=');

	if (value) {
		*value++ = 0;
		value = proc_unescape(strip_quotes(value));
	}
	(void)proc_unescape(option);
	if (value && strcmp(option, "lowerdir") == 0 && strlen(value) > VALUE_MAX)
		return set_layers(context, value);
	if (fsconfig(context, value ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG, option, value, 0) < 0)
		return fail_context(context, option);
	return 0;
}

static const struct {
	unsigned long flag;
	const char *word;
} super_words[] = {
	{ MS_RDONLY, "ro" },	 { MS_SYNCHRONOUS, "sync" },  { MS_DIRSYNC, "dirsync" },
	{ MS_MANDLOCK, "mand" }, { MS_LAZYTIME, "lazytime" },
};

int mountapi_make(int context, const char *source, const char *options, unsigned long super_flags)
{
	AUTO_FREE char *copy = xstrdup(options);
	char *rest = copy, *option;
	int mount;

	if (source[0] && fsconfig(context, FSCONFIG_SET_STRING, "source", source, 0) < 0)
		return fail_context(context, "source");
	while ((option = cut_option(&rest)))
		if (option[0])
			TRY(set_option(context, option));
	for (size_t i = 0; i < ARRAY_SIZE(super_words); i++)
		if (super_flags & super_words[i].flag &&
		    fsconfig(context, FSCONFIG_SET_FLAG, super_words[i].word, NULL, 0) < 0)
			return fail_context(context, super_words[i].word);
	if (fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return fail_context(context, "making the file system");
	mount = fsmount(context, FSMOUNT_CLOEXEC, 0);
	return mount < 0 ? fail_context(context, "fsmount") : mount;
}

int mountapi_make_readonly(int mount)
{
	AUTO_CLOSE int context = fspick(mount, "", FSPICK_CLOEXEC | FSPICK_EMPTY_PATH);

	if (context < 0)
		return -errno;
	if (fsconfig(context, FSCONFIG_SET_FLAG, "ro", NULL, 0) < 0 ||
	    fsconfig(context, FSCONFIG_CMD_RECONFIGURE, NULL, NULL, 0) < 0)
		return -errno;
	return 0;
}

int mountapi_make_all_private(void)
{
	return mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ? -errno : 0;
}
