// SPDX-License-Identifier: GPL-2.0-only
/* Who has read a part of a directory in a tmpfs of its own finds the rest, nothing twice, and in the same order. */
#include <dirent.h>
#include <sched.h>
#include <sys/mount.h>

#include "subject.h"

SUBJECT(.ignore = "fd") /* positions in directories are numbers of the file system */

#define FILES 2000 /* more than the C library reads at once */

static bool seen[FILES];
static unsigned n_seen;

static void take(const struct dirent *entry)
{
	int number;

	if (sscanf(entry->d_name, "file-with-a-long-name-%d", &number) != 1)
		return;
	CHECK(!seen[number]);
	seen[number] = true;
	n_seen++;
}

static void list(const char *path, char *to, size_t size)
{
	DIR *dir = opendir(path);
	const struct dirent *entry;

	must(dir ? 0 : -1);
	*to = 0;
	while ((entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			strncat(to, entry->d_name, size - strlen(to) - 1);
	closedir(dir);
}

int main(void)
{
	DIR *part, *begun, *done;
	char name[64], before[64], after[64];
	const struct dirent *entry;

	must(unshare(CLONE_NEWNS));
	must(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	must(mkdir("m", 0700));
	must(mount("subject", "m", "tmpfs", 0, NULL));
	must(mkdir("m/many", 0700));
	must(mkdir("m/few", 0700));
	for (int i = 0; i < FILES; i++) {
		snprintf(name, sizeof(name), "m/many/file-with-a-long-name-%d", i);
		must(close(must(open(name, O_WRONLY | O_CREAT, 0600))));
	}
	for (int i = 0; i < FILES; i += 3) {
		snprintf(name, sizeof(name), "m/many/file-with-a-long-name-%d", i);
		must(unlink(name));
	}
	for (const char *c = "quick"; *c; c++) {
		snprintf(name, sizeof(name), "m/few/%c", *c);
		must(close(must(open(name, O_WRONLY | O_CREAT, 0600))));
	}
	list("m/few", before, sizeof(before));
	part = opendir("m/many");
	begun = opendir("m/few");
	done = opendir("m/few");
	must(part && begun && done ? 0 : -1);
	take(readdir(part));
	while (readdir(done))
		;

	checkpoint();

	while ((entry = readdir(part)))
		take(entry);
	CHECK_EQUAL(n_seen, FILES - (FILES + 2) / 3);
	CHECK(!readdir(done));
	CHECK(readdir(begun));
	list("m/few", after, sizeof(after));
	CHECK(!strcmp(before, after));
	return 0;
}
