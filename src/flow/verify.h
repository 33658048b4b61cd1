/* SPDX-License-Identifier: GPL-2.0-only */
/* criu verify: reads and links a whole checkpoint as a restore does, and tells what is in it. Makes nothing, changes
 * nothing, wants no rights. */
#pragma once

#include <stdint.h>

#include "base/findings.h"
#include "kern/probe.h"
#include "options/options.h"
#include "session/needs.h"

struct verified_task {
	pid_t pid, parent, session, group;
	unsigned depth, threads;
	const char *name, *state; /* "running", "stopped", "zombie", "?" */
	size_t descriptors, mappings;
	uint64_t memory; /* bytes of private memory in the images */
};

struct verified_count {
	const char *what; /* "regular", "TCP, established" */
	size_t n;
};

struct verified_feature {
	enum feature_id id;
	int there; /* as struct feature.probe() says */
};

struct verified {
	/* Zeroed before. */
	struct findings damage; /* the images are not whole */
	struct findings
		obstacles; /* they may be whole, but a restore could not begin with this program on this machine */
	struct pool *pool;
	VECTOR(struct verified_task) tasks; /* parents before children */
	VECTOR(struct verified_count) files;
	VECTOR(struct verified_feature) features;
	VECTOR(const char *) plugins;
	struct needs needs;
	unsigned images, other_files;
	uint64_t image_bytes, shared_memory;
	size_t shared_objects;
	unsigned threads;
	bool linked;	       /* all was read and put together */
	char cpu_state[64];    /* "sse avx": components of the extended state that threads use */
	const char *cpu_model; /* where it was dumped; NULL: unknown */
};

/* The images of options->images_dir_fd. Returns 0 if a restore could begin, else -errno. */
int verify_run(const struct options *options, struct verified *ret);
void verify_done(struct verified *verified);
