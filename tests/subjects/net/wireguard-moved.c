// SPDX-License-Identifier: GPL-2.0-only
/* A WireGuard device that was made in another network namespace sends through that one: it is refused. */
#include "wireguard.h"

SUBJECT(.refused = "wg0.*made in another network namespace", .seconds = 30)

static void await_file(const char *name)
{
	while (access(control_path(name), F_OK) < 0)
		sleep_ms(10);
}

static void make_file(const char *name)
{
	close(must(open(control_path(name), O_CREAT | O_WRONLY, 0600)));
}

static int other(void *arg)
{
	must(unshare(CLONE_NEWNET));
	make_file("wg-other");
	await_file("wg-moved");
	run("ip link set wg0 up");
	wait_for_restore();
	return 0;
}

int main(void)
{
	char command[64];
	pid_t child;

	need_wireguard();
	wg_set_device("wg0", "f86f1520ff2c358716207159466e9a2e7af10d49c51472a900905e5a42417357", 7001, 0);
	child = start_child(other, NULL);
	await_file("wg-other");
	snprintf(command, sizeof(command), "ip link set wg0 netns %d", child);
	run(command);
	make_file("wg-moved");

	checkpoint_with(1);

	join_child(child, 0);
	return 0;
}
