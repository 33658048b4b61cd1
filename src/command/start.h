/* SPDX-License-Identifier: GPL-2.0-only */
/* What every command needs before it can begin: rights and directories. */
#pragma once

struct options;

/* The first lines of a log: which criu this is, and which kernel. */
void log_who_we_are(void);
/* What is missing for what criu does, NULL if nothing is. */
const char *missing_rights(const struct options *options);
/* Each reports what is wrong and returns 0 or -errno. */
int check_rights(const struct options *options);
int open_directories(struct options *options);
/* A stream through stdin or stdout gets a descriptor of its own, before anything is printed. */
int take_stream(struct options *options);
