// SPDX-License-Identifier: GPL-2.0-only
/* An automounter and its mounts: an indirect one with directories, links and mounts in it, a direct one, an offset one
 * and one that nobody serves any more. */
#include <linux/auto_fs.h>
#include <poll.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/statfs.h>

#include "subject.h"
#include "tools.h"

SUBJECT(.ways = "unharmed plain left twice")

#define TIMEOUT 77ul

static const char *const kinds[] = { "indirect", "direct", "offset", "indirect" };
static const char *const places[] = { "home", "data", "deep", "dead" };

struct automounter {
	int pipes[4], roots[4];
};

static void mount_autofs(struct automounter *self, int i)
{
	unsigned long timeout = TIMEOUT;
	char options[128];
	int ends[2];

	must(mkdir(places[i], 0755));
	must(pipe(ends));
	snprintf(options, sizeof(options), "fd=%d,pgrp=%d,minproto=5,maxproto=5,%s", ends[1], getpgrp(), kinds[i]);
	must(mount("auto", places[i], "autofs", 0, options));
	must(close(ends[1]));
	self->pipes[i] = ends[0];
	self->roots[i] = must(open(places[i], O_RDONLY | O_DIRECTORY));
	must(ioctl(self->roots[i], AUTOFS_IOC_SETTIMEOUT, &timeout));
}

static void serve_one(const struct automounter *self, int i)
{
	union autofs_v5_packet_union packet;
	char path[PATH_MAX];

	CHECK(read(self->pipes[i], &packet, sizeof(packet)) > 0);
	if (strcmp(kinds[i], "indirect") == 0)
		snprintf(path, sizeof(path), "%s/%s", places[i], packet.v5_packet.name);
	else
		snprintf(path, sizeof(path), "%s", places[i]);
	if (strcmp(kinds[i], "indirect") == 0)
		CHECK(mkdir(path, 0755) == 0 || errno == EEXIST);
	CHECK(mount(packet.v5_packet.name, path, "tmpfs", 0, NULL) == 0);
	CHECK(ioctl(self->roots[i], AUTOFS_IOC_READY, packet.v5_packet.wait_queue_token) == 0);
}

static int be_automounter(void *arg)
{
	struct automounter self;

	must(setpgid(0, 0));
	for (int i = 0; i < 4; i++)
		mount_autofs(&self, i);
	must(mkdir("home/empty", 0750));
	must(mkdir("home/net", 0755));
	must(mkdir("home/net/below", 0711));
	must(mount("net", "home/net/below", "tmpfs", 0, NULL));
	must(symlink("empty", "home/link"));
	must(mount("home/net", "bound", NULL, MS_BIND, NULL));
	must(ioctl(self.roots[3], AUTOFS_IOC_CATATONIC, 0));
	*(volatile int *)arg = 1;
	for (;;) {
		struct pollfd polls[3];

		for (int i = 0; i < 3; i++)
			polls[i] = (struct pollfd){ self.pipes[i], POLLIN, 0 };
		if (poll(polls, 3, -1) < 0)
			continue;
		for (int i = 0; i < 3; i++)
			if (polls[i].revents & POLLIN)
				serve_one(&self, i);
	}
	return 0;
}

static bool is_mounted(const char *path)
{
	struct statfs fs;
	int fd = open(path, O_RDONLY | O_DIRECTORY);
	bool is = fd >= 0 && fstatfs(fd, &fs) == 0 && fs.f_type == 0x01021994;

	close(fd);
	return is;
}

static mode_t mode_of(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0 ? st.st_mode : 0;
}

int main(void)
{
	volatile int *up = must(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
	unsigned long timeout = 0;
	char target[16] = "";
	pid_t child;
	int inside, root;

	if (access("/dev/autofs", F_OK) < 0)
		skip("there is no autofs");
	must(unshare(CLONE_NEWNS));
	must(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	must(mkdir("bound", 0755));
	child = start_child(be_automounter, (void *)up);
	while (!*up)
		sleep_ms(1);
	if (!is_mounted("home/ann/.") || !is_mounted("data/."))
		skip("autofs does not mount");
	write_text("home/ann/file", "of ann");
	write_text("data/file", "of data");
	write_text("home/net/below/file", "below");
	inside = must(open("home/ann/file", O_RDONLY));

	checkpoint();

	CHECK(reads_text("home/ann/file", "of ann") && reads_text("data/file", "of data"));
	CHECK(reads_text("home/net/below/file", "below"));
	CHECK(mode_of("home/empty") == (S_IFDIR | 0750) && mode_of("bound") == (S_IFDIR | 0755));
	CHECK(readlink("home/link", target, sizeof(target)) == 5 && strcmp(target, "empty") == 0);
	CHECK(lseek(inside, 0, SEEK_END) == 6);
	/* It is asked. */
	CHECK(is_mounted("home/eve/."));
	CHECK(is_mounted("home/empty/."));
	CHECK(is_mounted("deep/."));
	CHECK(umount("data") == 0 && is_mounted("data/.") && !reads_text("data/file", "of data"));
	/* Nobody is. */
	CHECK(open("dead/bob/.", O_RDONLY) < 0 && errno == ENOENT);
	root = open("home", O_RDONLY | O_DIRECTORY);
	CHECK(ioctl(root, AUTOFS_IOC_SETTIMEOUT, &timeout) == 0);
	CHECK_EQUAL(timeout, TIMEOUT);
	CHECK_EQUAL(kill(child, SIGKILL), 0);
	CHECK_EQUAL(waitpid(child, NULL, 0), child);
	return 0;
}
