/* SPDX-License-Identifier: GPL-2.0-only */
/* criu inspect: all that is in a checkpoint, told to people or programs. Makes nothing, wants no rights. */
#pragma once

struct options;
struct outline;
struct pool;
struct restore;

/*
 * The images of options->images_dir_fd are read and linked as a restore does it. ret lives in the pool. Returns 0, or
 * -errno if not all of them can be read: what is wrong is told with the rest.
 */
int inspect_run(const struct options *options, struct pool *pool, struct outline **ret);
/* The processes of a restore that is linked, into r->inspection->all. */
int inspect_tasks(struct restore *r);
