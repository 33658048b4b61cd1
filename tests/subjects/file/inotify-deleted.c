// SPDX-License-Identifier: GPL-2.0-only
/* Watches (inotify, fanotify) on files without a path that the tree has open: deleted, deleted by the name that was
 * watched while there is another, and a deleted directory that is the current one of a child. */
#include <sys/fanotify.h>
#include <sys/inotify.h>

#include "subject.h"

SUBJECT(.dump_options = "--link-remap", .ignore = "fd", .not_ways = "unharmed") /* inodes of deleted files; the new name
	stays for the restore */

static int work(void *arg)
{
	must(chdir("gone"));
	wait_for_restore();
	while (access(control_path("looked"), F_OK) < 0)
		sleep_ms(5);
	return 0;
}

static uint32_t seen(int fd, int wd)
{
	char buffer[4096] __attribute__((aligned(8)));
	ssize_t size;
	uint32_t mask = 0;

	while ((size = read(fd, buffer, sizeof(buffer))) > 0)
		for (char *at = buffer; at < buffer + size;) {
			struct inotify_event *event = (struct inotify_event *)at;

			if (event->wd == wd)
				mask |= event->mask;
			at += sizeof(*event) + event->len;
		}
	return mask;
}

int main(void)
{
	int fd = must(inotify_init1(IN_NONBLOCK)), other = must(inotify_init1(IN_NONBLOCK)),
	    marks = fanotify_init(FAN_CLASS_NOTIF | FAN_NONBLOCK, O_RDONLY);

	must(mkdir("logs", 0700));
	must(mkdir("gone", 0700));
	int folder = must(inotify_add_watch(fd, "logs", IN_CREATE)),
	    log = must(open("logs/log", O_RDWR | O_CREAT, 0600)), two = must(open("logs/two", O_RDWR | O_CREAT, 0600));
	int on_log = must(inotify_add_watch(fd, "logs/log", IN_CLOSE_WRITE)),
	    on_two = must(inotify_add_watch(other, "logs/two", IN_CLOSE_WRITE)),
	    on_gone = must(inotify_add_watch(fd, "gone", IN_ATTRIB | IN_OPEN));

	if (marks >= 0)
		must(fanotify_mark(marks, FAN_MARK_ADD, FAN_CLOSE_WRITE, AT_FDCWD, "logs/log"));

	pid_t child = start_child(work, NULL);
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/cwd", child);
	for (;;) { /* it enters the directory on its way */
		char cwd[512] = "";

		if (readlink(path, cwd, sizeof(cwd) - 1) > 0 && !strcmp(strrchr(cwd, '/'), "/gone"))
			break;
		sleep_ms(1);
	}
	must(link("logs/two", "logs/other"));
	must(unlink("logs/two"));
	must(unlink("logs/log"));
	must(rmdir("gone"));

	checkpoint_with(1);

	seen(fd, on_log);
	seen(other, on_two);
	must(close(must(open(path, O_RDONLY | O_DIRECTORY))));
	CHECK(seen(fd, on_gone) & IN_OPEN);
	must(close(must(open(control_path("looked"), O_CREAT | O_WRONLY, 0600))));
	join_child(child, 0);
	must(close(log));
	must(close(two));
	CHECK(seen(fd, on_log) & IN_CLOSE_WRITE);
	CHECK(seen(other, on_two) & IN_CLOSE_WRITE);
	if (marks >= 0) {
		struct fanotify_event_metadata event;

		CHECK(read(marks, &event, sizeof(event)) > 0);
		CHECK(event.mask & FAN_CLOSE_WRITE);
	}
	must(close(must(open("logs/log", O_RDWR | O_CREAT, 0600))));
	CHECK(seen(fd, folder) & IN_CREATE);
	return 0;
}
