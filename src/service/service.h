/* SPDX-License-Identifier: GPL-2.0-only */
/* Requests of other programs instead of a command line: criu swrk and criu service. Messages: proto/rpc.proto. */
#pragma once

struct options;

/* What only the program itself knows. */
struct service_program {
	int version_major, version_minor;
	/* NULL if all is well, else what is missing. */
	const char *(*missing_rights)(const struct options *options);
	int (*open_directories)(struct options *options); /* 0 or -errno after it was logged */
	int (*check)(const struct options *options);	  /* exit code */
	void (*introduce)(void);			  /* the first lines of a log */
};
