// SPDX-License-Identifier: GPL-2.0-only
/* Files and mounts, for subjects. */
#include <stdarg.h>

#include "subject.h"
#include "tools.h"

int open_with_text(const char *path, const char *text)
{
	int fd = must(open(path, O_CREAT | O_TRUNC | O_RDWR, 0600));

	CHECK_EQUAL(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	return fd;
}

void write_text(const char *path, const char *text)
{
	must(close(open_with_text(path, text)));
}

bool has_text(int fd, const char *text)
{
	char found[32] = "";

	return pread(fd, found, sizeof(found) - 1, 0) == (ssize_t)strlen(text) && !strcmp(found, text);
}

bool reads_text(const char *path, const char *text)
{
	int fd = open(path, O_RDONLY);
	bool same = fd >= 0 && has_text(fd, text);

	if (fd >= 0)
		close(fd);
	return same;
}

int open_formatted(int flags, const char *format, ...)
{
	char path[128];
	va_list args;

	va_start(args, format);
	vsnprintf(path, sizeof(path), format, args);
	va_end(args);
	return must(open(path, flags));
}

int mount_of(int fd)
{
	struct statx stx;

	CHECK(statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &stx) == 0);
	return (int)stx.stx_mnt_id;
}

void write_id_maps(pid_t pid, const char *users, const char *groups)
{
	const char *const texts[] = { users, groups };

	for (int i = 0; i < 2; i++) {
		int fd = open_formatted(O_WRONLY | O_CLOEXEC, "/proc/%d/%s_map", pid, i ? "gid" : "uid");

		must(write(fd, texts[i], strlen(texts[i])));
		close(fd);
	}
}
