/* SPDX-License-Identifier: GPL-2.0-only */
/* A program in a root directory of its own: leaves the old one, and says what it finds in /data when it is told to go
 * on. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <unistd.h>

static int write_file(const char *name, const char *text, size_t size)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	return fd < 0 || write(fd, text, size) != (ssize_t)size || close(fd) < 0 ? -1 : 0;
}

int main(void)
{
	int kept = open("/data/kept", O_RDONLY), fd;
	char text[100];
	ssize_t n, m;

	if (kept < 0 || umount2("/old", MNT_DETACH) < 0 || write_file("/out/ready", "", 0) < 0)
		return 1;
	while (access("/out/go", F_OK) < 0)
		usleep(1000);
	n = read(kept, text, 20);
	fd = open("/data/which", O_RDONLY);
	m = fd < 0 ? -1 : read(fd, text + n, 20);
	if (n < 0 || m < 0)
		return 2;
	return write_file("/out/said.new", text, (size_t)(n + m)) < 0 || rename("/out/said.new", "/out/said") < 0 ? 3
														  : 0;
}
