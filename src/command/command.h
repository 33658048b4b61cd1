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
int command_inspect(const struct options *options);
int command_verify(const struct options *options);
int command_undo(const struct options *options);
int command_receive(const struct options *options);
int command_migrate(const struct options *options);
int command_cpuinfo_dump(const struct options *options);
int command_cpuinfo_check(const struct options *options);
int command_lazy_pages(const struct options *options);
int command_page_server(const struct options *options);
int command_service(const struct options *options);
int command_swrk(const struct options *options);

/* Prints the version to stdout, as clients parse it. */
void print_version(void);
