/* SPDX-License-Identifier: GPL-2.0-only */
/* Helpers of subjects with a network namespace of their own: ip(8) and nft(8) build it, their output is compared. */
#pragma once

#include <sched.h>

#include "subject.h"

/* What a command prints, in memory that is never freed. It must succeed. */
static inline char *output_of(const char *command)
{
	FILE *pipe = popen(command, "r");
	size_t size = 0, room = 1 << 16;
	char *text = malloc(room);

	if (!pipe || !text)
		subject_fail(__FILE__, __LINE__, command, errno);
	while (!feof(pipe) && size < room - 1)
		size += fread(text + size, 1, room - 1 - size, pipe);
	text[size] = '\0';
	if (pclose(pipe) != 0)
		subject_fail(__FILE__, __LINE__, command, 0);
	return text;
}

static inline bool runs(const char *command)
{
	char quiet[1024];

	snprintf(quiet, sizeof(quiet), "%s >/dev/null 2>&1", command);
	return system(quiet) == 0;
}

/* A network namespace of our own; the tools must be there. */
static inline void need_network(const char *probe)
{
	must(unshare(CLONE_NEWNET));
	if (!runs(probe))
		skip("\"%s\" does not work here", probe);
}

static inline void run(const char *command)
{
	if (!runs(command))
		subject_fail(__FILE__, __LINE__, command, 0);
}

/* No detection of duplicate addresses: it would go on by itself and change what is compared. */
static inline void prepare_network(void)
{
	need_network("ip link set lo up");
	run("echo 0 > /proc/sys/net/ipv6/conf/default/accept_dad");
	run("echo 0 > /proc/sys/net/ipv6/conf/all/accept_dad");
}

/* Whether a cable is in is told a moment late. */
#define SETTLED                                                                                                    \
	"| sed -e 's/NO-CARRIER,//; s/,LOWER_UP//; s/M-DOWN,//; s/ state [A-Z]*//; s/ linkdown//; s/ permaddr [^ " \
	"]*//; s/ *$//'"

/* An IPv6 address cannot be used before its device is known to have a cable. */
static inline void await_addresses(void)
{
	while (output_of("ip -6 addr show tentative")[0])
		sleep_ms(20);
}

static inline void compare(const char *command, const char *before)
{
	const char *after = output_of(command);

	if (!strcmp(before, after))
		return;
	fprintf(stderr, "%s\n--- before\n%s--- after\n%s", command, before, after);
	subject_fail(__FILE__, __LINE__, command, 0);
}
