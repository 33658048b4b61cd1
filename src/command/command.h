/* SPDX-License-Identifier: GPL-2.0-only */
/* The commands of the program. Each returns its exit code; the work directory is the current one, the log is open. */
#pragma once

struct options;

int command_dump(const struct options *options);
int command_dedup(const struct options *options);
int command_pre_dump(const struct options *options);
int command_restore(const struct options *options);
int command_check(const struct options *options);
int command_check_tree(const struct options *options); /* criu check --tree */
int command_verify(const struct options *options);
int command_undo(const struct options *options);
int command_receive(const struct options *options);
int command_cpuinfo_dump(const struct options *options);
int command_cpuinfo_check(const struct options *options);
int command_lazy_pages(const struct options *options);
int command_page_server(const struct options *options);
int command_service(const struct options *options);
int command_swrk(const struct options *options);

/* Prints the version to stdout, as clients parse it. */
void print_version(void);

/* In start.c. The first lines of a log: which criu this is, and which kernel. */
void log_who_we_are(void);
/* What is missing for what criu does, NULL if nothing is. */
const char *missing_rights(const struct options *options);
/* Each reports what is wrong and returns 0 or -errno. */
int check_rights(const struct options *options);
int open_directories(struct options *options);
/* A stream through stdin or stdout gets a descriptor of its own, before anything is printed. */
int take_stream(struct options *options);
