/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Overlays: of directories of the namespace that they are mounted in, or of directories outside, which container
 * managers make volumes of (podman run -v DIR:/PLACE:O) before they change the root.
 */
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/log.h"
#include "base/text.h"
#include "kern/proc/proc.h"
#include "object/mount/core.h"

/* "lowerdir=/a:/b,upperdir=/c,workdir=/d" */
static const char *const path_options[] = { "lowerdir=", "lowerdir+=", "datadir+=", "upperdir=", "workdir=" };

static const char *skip_name(const char *option)
{
	for (size_t i = 0; i < sizeof(path_options) / sizeof(*path_options); i++) {
		const char *rest = text_after(option, path_options[i]);

		if (rest)
			return rest;
	}
	return NULL;
}

/* A colon in a path has a backslash in front, other characters may be there by number. */
static char *unquote(char *path)
{
	char *to = path;

	(void)proc_unescape(path);
	for (const char *from = path; *from; from++) {
		if (*from == '\\' && from[1])
			from++;
		*to++ = *from;
	}
	*to = 0;
	return path;
}

static size_t path_length(const char *path)
{
	size_t n = 0;

	/* mountinfo shows a backslash by its number. */
	while (path[n] && path[n] != ',' && path[n] != ':')
		n += text_starts(path + n, "\\134") && path[n + 4] ? 5 : 1;
	return n;
}

/* Calls take() for each layer until it returns false. */
static bool for_all_layers(const char *options, bool (*take)(const char *path, void *arg), void *arg)
{
	for (const char *p = options; *p; p += strcspn(p, ","), p += *p == ',') {
		const char *path = skip_name(p), *end = p + strcspn(p, ",");

		while (path && path < end) {
			size_t n = path_length(path);
			AUTO_FREE char *copy = xprintf("%.*s", (int)n, path);

			if (n && !take(unquote(copy), arg))
				return false;
			path += n;
			path += strspn(path, ":");
		}
	}
	return true;
}

static bool is_absolute(const char *path, void *arg)
{
	return path[0] == '/';
}

static bool is_there(const char *path, void *root)
{
	struct open_how how = { .flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT };
	AUTO_CLOSE int fd = (int)syscall(SYS_openat2, *(int *)root, path, &how, sizeof(how));

	return fd >= 0;
}

int overlay_dump(struct dump *d, struct mount *mount)
{
	AUTO_CLOSE int own = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (own < 0)
		return fail_errno("opening the root directory");
	if (!for_all_layers(mount->entry->options, is_absolute, NULL))
		return mount_refuse(mount, "it was made of relative paths, and from where is not known");
	if (for_all_layers(mount->entry->options, is_there, &mount->space->root_fd))
		return 0;
	if (!for_all_layers(mount->entry->options, is_there, &own))
		return mount_refuse(mount, "its layers are neither in its mount namespace nor here");
	mount->entry->has_made_outside = mount->entry->made_outside = true;
	log_info("%s is made of directories outside", mount->entry->mountpoint);
	return 0;
}
