/* SPDX-License-Identifier: LGPL-2.1-only */
/* A line for each: its key, a tab, its values. The first line tells of which kernel it is. */
#include "kern/btf-cache.h"

#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/file.h"
#include "base/io.h"
#include "base/vector.h"

#define SIZE_MAX_BYTES (256 * 1024)
#define KEY_SIZE       128

struct known_answer {
	char key[KEY_SIZE];
	int64_t values[BTF_CACHE_VALUES];
};

struct btf_cache {
	char *path;
	char kernel[128]; /* the first line, without its end */
	bool is_new;
	VECTOR(struct known_answer) all;
};

static bool tell_kernel(uint64_t size, char *to, size_t capacity)
{
	char boot[64];

	if (file_read_text(AT_FDCWD, "/proc/sys/kernel/random/boot_id", boot, sizeof(boot)) < 0)
		return false;
	boot[strcspn(boot, "\n")] = 0;
	snprintf(to, capacity, "criu-btf 1 %s %" PRIu64, boot, size);
	return true;
}

/* Nobody else may have written it. */
static bool is_trusted(const char *path)
{
	struct stat st;

	return !lstat(path, &st) && S_ISREG(st.st_mode) && st.st_uid == 0 && !(st.st_mode & (S_IWGRP | S_IWOTH));
}

static bool parse_line(const char *line, struct known_answer *ret)
{
	int64_t *v = ret->values;

	return sscanf(line, "%127[^\t]\t%" SCNd64 " %" SCNd64 " %" SCNd64 " %" SCNd64 " %" SCNd64, ret->key, &v[0],
		      &v[1], &v[2], &v[3], &v[4]) == 1 + BTF_CACHE_VALUES;
}

static void read_all(struct btf_cache *cache)
{
	AUTO_FREE char *text = NULL;
	char *at, *line;

	if (!is_trusted(cache->path) || file_read_foreign(AT_FDCWD, cache->path, true, SIZE_MAX_BYTES, &text) < 0)
		return;
	at = text;
	line = strsep(&at, "\n");
	if (strcmp(line, cache->kernel) != 0)
		return;
	while ((line = strsep(&at, "\n"))) {
		struct known_answer answer;

		if (parse_line(line, &answer))
			*vector_push(&cache->all) = answer;
	}
}

struct btf_cache *btf_cache_open(const char *path, uint64_t size)
{
	struct btf_cache *cache = xzalloc(sizeof(*cache));

	cache->path = xstrdup(path);
	if (tell_kernel(size, cache->kernel, sizeof(cache->kernel)))
		read_all(cache);
	return cache;
}

bool btf_cache_find(const struct btf_cache *cache, const char *key, int64_t values[BTF_CACHE_VALUES])
{
	for (size_t i = 0; i < cache->all.n; i++) {
		if (strcmp(cache->all.items[i].key, key) != 0)
			continue;
		memcpy(values, cache->all.items[i].values, sizeof(cache->all.items[i].values));
		return true;
	}
	return false;
}

void btf_cache_add(struct btf_cache *cache, const char *key, const int64_t values[BTF_CACHE_VALUES])
{
	struct known_answer answer = { 0 };

	if (strlen(key) >= sizeof(answer.key))
		return;
	strcpy(answer.key, key);
	memcpy(answer.values, values, sizeof(answer.values));
	*vector_push(&cache->all) = answer;
	cache->is_new = true;
}

static int write_lines(const struct btf_cache *cache, FILE *file)
{
	fprintf(file, "%s\n", cache->kernel);
	for (size_t i = 0; i < cache->all.n; i++) {
		const int64_t *v = cache->all.items[i].values;

		fprintf(file, "%s\t%" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 "\n",
			cache->all.items[i].key, v[0], v[1], v[2], v[3], v[4]);
	}
	return ferror(file) ? -1 : 0;
}

/* Others write at the same time, and read: the file is exchanged as a whole. */
static void write_all(const struct btf_cache *cache)
{
	AUTO_FREE char *folder = xstrdup(cache->path);
	char temporary[PATH_MAX];
	AUTO_CLOSE int fd = -1;
	FILE *file;
	int result;

	*strrchr(folder, '/') = 0;
	(void)mkdir(folder, 0700);
	snprintf(temporary, sizeof(temporary), "%s.%d", cache->path, getpid());
	fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	file = fd < 0 ? NULL : fdopen(fd, "w");
	if (!file)
		return;
	(void)TAKE_FD(fd);
	result = write_lines(cache, file);
	if (fclose(file) || result < 0 || rename(temporary, cache->path) < 0)
		(void)unlink(temporary);
}

void btf_cache_close(struct btf_cache **place)
{
	struct btf_cache *cache = TAKE_PTR(*place);

	if (!cache)
		return;
	if (cache->is_new && cache->kernel[0] && geteuid() == 0)
		write_all(cache);
	vector_done(&cache->all);
	free(cache->path);
	free(cache);
}
