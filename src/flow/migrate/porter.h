/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * --post-copy, where the program comes to: a process that carries both what is said and memory over one connection,
 * and over another one if that breaks while memory follows.
 */
#pragma once

#include <sys/types.h>

struct wire;

struct porter {
	pid_t pid;	/* 0: there is none */
	const char *id; /* of the migration; the caller's */
	int line;	/* to say and hear what goes over the connection */
	int pages;	/* where memory comes from, in the page server's protocol: --ps-socket */
};

#define PORTER_NONE ((struct porter){ .line = -1, .pages = -1 })

/*
 * Makes it. It waits for porter_begin(). patience: so many seconds after the connection broke tasks that lack memory
 * are killed; 0: never.
 */
int porter_start(const struct wire *wire, const char *id, unsigned patience, struct porter *ret);
/* From now on it alone uses the connection of the wire, and the wire is the line to it. */
int porter_begin(struct porter *porter, struct wire *wire);
/*
 * Closes the lines to it, and waits for its end, which comes when the tasks have their memory, or at once as long as
 * they do not run. The wire, if it is the line to it, is closed as well. Accepts PORTER_NONE.
 */
void porter_end(struct porter *porter, struct wire *wire);
/* The wire is the new connection of this migration: gives it to the porter, and waits until that needs it no more. */
int porter_help(const char *id, const struct wire *wire);
