// SPDX-License-Identifier: GPL-2.0-only
/* What a core dump shall have of a process, and how nice its session is to others, stay as they were set. */
#include "subject.h"
#include "tools.h"

SUBJECT()

static const char filter[] = "/proc/self/coredump_filter", autogroup[] = "/proc/self/autogroup";

static bool read_line(const char *path, char text[64])
{
	int fd = open(path, O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, text, 63);

	close(fd);
	text[n > 0 ? n : 0] = 0;
	return n > 0;
}

static int be_child(void *arg)
{
	char text[64];

	write_text(filter, "0x1");
	wait_for_restore();
	CHECK(read_line(filter, text) && strtoul(text, NULL, 16) == 0x1);
	return 7;
}

int main(void)
{
	char text[64];
	bool has_autogroup = read_line(autogroup, text) && strstr(text, " nice ");
	pid_t child;

	write_text(filter, "0x7f");
	if (has_autogroup)
		write_text(autogroup, "6");
	child = start_child(be_child, NULL);

	checkpoint_with(1);

	CHECK(read_line(filter, text) && strtoul(text, NULL, 16) == 0x7f);
	CHECK(!has_autogroup || (read_line(autogroup, text) && strstr(text, " nice 6\n")));
	join_child(child, 7);
	return 0;
}
