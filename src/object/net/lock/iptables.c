/* SPDX-License-Identifier: GPL-2.0-only */
/* Rules of the network lock in iptables: for images that other programs restore. */
#include <errno.h>
#include <fcntl.h>
#include <soccr.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/io.h"
#include "base/log.h"
#include "object/net/lock/lock.h"

extern char **environ;

static const char *program(int family)
{
	return family == 4 ? "iptables-restore" : "ip6tables-restore";
}

bool iptables_is_there(void)
{
	static const char *const folders[] = { "/usr/sbin", "/sbin", "/usr/local/sbin", "/usr/bin" };
	char path[64];

	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", folders[i], program(4));
		if (!access(path, X_OK))
			return true;
	}
	return false;
}

static void print_rule(struct buffer *to, const char *action, const char *chain, const struct connection *c,
		       bool incoming)
{
	buffer_printf(to, "%s %s -p tcp -s %s --sport %u -d %s --dport %u -m mark ! --mark 0x%x -j DROP\n", action,
		      chain, incoming ? c->peer : c->self, incoming ? c->peer_port : c->self_port,
		      incoming ? c->self : c->peer, incoming ? c->self_port : c->peer_port, SOCCR_MARK);
}

static void print_rules(struct buffer *to, const char *action, const struct connection *c)
{
	print_rule(to, action, "INPUT", c, true);
	print_rule(to, action, "OUTPUT", c, false);
}

/* Feeds the text to the tool; all of it is one transaction. */
static int run(int family, const struct buffer *rules, bool quietly)
{
	char *const argv[] = { (char *)program(family), (char *)"-w", (char *)"--noflush", NULL };
	AUTO_CLOSE int input = memfd_create("rules", MFD_CLOEXEC);
	posix_spawn_file_actions_t actions;
	pid_t pid;
	int error, status;

	if (input < 0)
		return fail_errno("cannot make a memory file");
	error = io_write(input, rules->data, rules->size);
	if (error < 0 || lseek(input, 0, SEEK_SET) < 0)
		return fail(-error, "cannot write the rules");
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
	if (quietly)
		posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
	error = posix_spawnp(&pid, argv[0], &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	if (error)
		return fail(error, "cannot run %s", argv[0]);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return fail_errno("cannot wait for %s", argv[0]);
	return WIFEXITED(status) && !WEXITSTATUS(status) ? 0 : -EIO;
}

static int apply(const struct connections *connections, const char *action, int family, bool quietly)
{
	AUTO(buffer_done) struct buffer rules = { 0 };
	size_t count = 0;

	buffer_printf(&rules, "*filter\n");
	for (size_t i = 0; i < connections->n; i++) {
		/* A rule is inserted at the top. The tool looks for one to delete from there, so the last one goes
		 * first. */
		size_t next = action[1] == 'D' ? connections->n - 1 - i : i;

		if (connections->items[next].inside || connections->items[next].family != family)
			continue;
		print_rules(&rules, action, &connections->items[next]);
		count++;
	}
	buffer_printf(&rules, "COMMIT\n");
	return count ? run(family, &rules, quietly) : 0;
}

int iptables_lock(const struct connections *connections)
{
	if (apply(connections, "-I", 4, false) < 0 || apply(connections, "-I", 6, false) < 0)
		return refuse(EIO, "cannot keep packets away with iptables");
	return 0;
}

/* If one rule is missing the tool does nothing: then each is tried by itself. */
int iptables_unlock(const struct connections *connections)
{
	for (int family = 4; family <= 6; family += 2) {
		if (!apply(connections, "-D", family, true))
			continue;
		for (size_t i = 0; i < connections->n; i++) {
			struct connections one = { &connections->items[i], 1, 1 };

			if (apply(&one, "-D", family, true) < 0)
				log_debug("No iptables rules for port %u", one.items->self_port);
		}
	}
	return 0;
}
