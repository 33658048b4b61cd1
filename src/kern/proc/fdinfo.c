/* SPDX-License-Identifier: LGPL-2.1-only */
/* /proc/PID/fdinfo/N as keys and values. */
#include "kern/proc/fdinfo.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/text.h"
#include "base/vector.h"
#include "kern/proc/proc.h"

int fdinfo_open(struct fdinfo *info, int proc)
{
	*info = (struct fdinfo){ .dir = openat(proc, "fdinfo", O_PATH | O_DIRECTORY | O_CLOEXEC) };
	return info->dir < 0 ? proc_fail(errno, "fdinfo") : 0;
}

void fdinfo_done(struct fdinfo *info)
{
	if (info->dir >= 0)
		close(info->dir);
	if (info->own_number)
		close(info->own_file);
	info->own_number = 0;
	buffer_done(&info->text);
	vector_done(info);
	info->dir = -1;
}

static char *find_colon(char *line)
{
	for (char *p = line; (p = strchr(p, ':')); p++) {
		if (!p[1] || p[1] == ' ' || p[1] == '\t')
			return p;
	}
	return NULL;
}

/* Cuts info->text. */
static void cut_lines(struct fdinfo *info)
{
	char *cursor = info->text.data, *line;

	info->n = 0;
	while ((line = text_line(&cursor))) {
		struct fdinfo_line *entry;
		char *end;

		line += strspn(line, " \t");
		if (!*line)
			continue;
		entry = vector_push(info);
		end = find_colon(line);
		if (!end)
			end = line + strcspn(line, " \t");
		entry->key = line;
		entry->value = end;
		if (*end) {
			entry->value = end + 1 + strspn(end + 1, " \t");
			*end = '\0';
		}
	}
}

void fdinfo_parse(struct fdinfo *info, const char *text, size_t size)
{
	info->text.size = 0;
	buffer_append(&info->text, text, size);
	cut_lines(info);
}

int fdinfo_read(struct fdinfo *info, int fd)
{
	char name[16];

	snprintf(name, sizeof(name), "%d", fd);
	TRY(proc_read_record(info->dir, name, &info->text));
	cut_lines(info);
	return 0;
}

static int open_own(struct fdinfo *info, int fd)
{
	char path[32];

	if (info->own_number == fd + 1)
		return 0;
	if (info->own_number)
		close(info->own_file);
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	info->own_file = open(path, O_RDONLY | O_CLOEXEC);
	info->own_number = info->own_file < 0 ? 0 : fd + 1;
	return info->own_file < 0 ? proc_fail(errno, "fdinfo") : 0;
}

int fdinfo_read_own(struct fdinfo *info, int fd)
{
	TRY(open_own(info, fd));
	TRY(proc_read_open_record(info->own_file, "fdinfo", &info->text));
	cut_lines(info);
	return 0;
}

const char *fdinfo_next(const struct fdinfo *info, const char *key, size_t *at)
{
	while (*at < info->n) {
		const struct fdinfo_line *line = &info->items[(*at)++];

		if (strcmp(line->key, key) == 0)
			return line->value;
	}
	return NULL;
}

const char *fdinfo_get(const struct fdinfo *info, const char *key)
{
	size_t at = 0;

	return fdinfo_next(info, key, &at);
}

int fdinfo_get_u64(const struct fdinfo *info, const char *key, int base, uint64_t *ret)
{
	const char *value = fdinfo_get(info, key);

	if (!value)
		return -ENOENT;
	if (text_to_u64(value, base, ret) < 0)
		return refuse(EINVAL, "%s of /proc/PID/fdinfo is \"%s\", which is no number", key, value);
	return 0;
}

int fdinfo_get_s64(const struct fdinfo *info, const char *key, int64_t *ret)
{
	const char *value = fdinfo_get(info, key);
	bool negative;
	uint64_t number;

	if (!value)
		return -ENOENT;
	negative = *value == '-';
	if (text_to_u64(value + negative, 10, &number) < 0 || number > (uint64_t)INT64_MAX + negative)
		return refuse(EINVAL, "%s of /proc/PID/fdinfo is \"%s\", which is no number", key, value);
	*ret = (int64_t)(negative ? 0 - number : number);
	return 0;
}

const char *fdinfo_field(const char *value, const char *name)
{
	size_t size = strlen(name);

	for (const char *p = value; (p = strstr(p, name)); p += size) {
		if ((p == value || p[-1] == ' ' || p[-1] == '\t') && p[size] == ':')
			return p + size + 1 + strspn(p + size + 1, " \t");
	}
	return NULL;
}

int fdinfo_field_u64(const char *value, const char *name, int base, uint64_t *ret)
{
	const char *field = fdinfo_field(value, name);
	char word[32];
	size_t size;

	if (!field)
		return -ENOENT;
	size = strcspn(field, " \t");
	if (size >= sizeof(word))
		return -EINVAL;
	memcpy(word, field, size);
	word[size] = '\0';
	return text_to_u64(word, base, ret) < 0 ? -EINVAL : 0;
}
