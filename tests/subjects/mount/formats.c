// SPDX-License-Identifier: GPL-2.0-only
/* A binfmt_misc of its own user namespace (Linux 6.7) keeps the formats that were registered, and their order. */
#include <dirent.h>
#include <string.h>
#include <sys/mount.h>

#include "subject.h"
#include "tools.h"

SUBJECT(.house = "user,mnt,pid")

static const struct {
	const char *name, *line;
} formats[] = {
	{ "magic", "|magic|M|3|m:\\x01\\xff|\\xff\\x00\\xff\\xfe|/bin/one:two|OC" },
	{ "ex:t", "|ex:t|E||zz||/bin/three|" },
	{ "fixed", ":fixed:M::abc::/bin/sh:F" },
};

static void put(const char *name, const char *text)
{
	int fd = must(open(name, O_WRONLY));

	CHECK_EQUAL(write(fd, text, strlen(text)), (long)strlen(text));
	must(close(fd));
}

static void look(char *to, size_t size)
{
	static const char *const names[] = { "m/magic", "m/ex:t", "m/fixed", "m/status" };
	DIR *dir = opendir("m");
	const struct dirent *entry;
	size_t n = 0;

	CHECK(dir != NULL);
	while ((entry = readdir(dir))) /* the one that is asked first is the first one */
		n += (size_t)snprintf(to + n, size - n, "%s ", entry->d_name);
	closedir(dir);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		int fd = must(open(names[i], O_RDONLY));

		n += (size_t)must((int)read(fd, to + n, size - n - 1));
		must(close(fd));
	}
	to[n] = 0;
}

int main(void)
{
	char before[2048], after[2048];

	must(mkdir("m", 0700));
	if (mount("formats", "m", "binfmt_misc", 0, NULL) < 0)
		skip("this kernel has no binfmt_misc in user namespaces");
	for (size_t i = 0; i < ARRAY_SIZE(formats); i++)
		put("m/register", formats[i].line);
	put("m/ex:t", "0");
	look(before, sizeof(before));

	checkpoint();

	look(after, sizeof(after));
	CHECK(strcmp(before, after) == 0);
	return 0;
}
