/* SPDX-License-Identifier: GPL-2.0-only */
/* What the reports of "crit x" share: the tasks and files of a checkpoint. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/vector.h"

#include "core.pb-c.h"
#include "fdinfo.pb-c.h"
#include "pstree.pb-c.h"

struct store;
struct table;

struct crit_task {
	PstreeEntry *entry;
	CoreEntry *core;
	unsigned depth; /* below the root of the tree */
	bool listed;
};

struct checkpoint {
	struct store *store;
	VECTOR(struct crit_task) tasks; /* as in pstree.img */
	struct table *files;		/* file id to FileEntry */
};

/* A zombie has a name and an exit status, nothing else. */
bool task_is_dead(const struct crit_task *task);
const char *task_name(const struct crit_task *task);
/* "alive", "zombie", "stopped" or "?" */
const char *task_state_name(const struct crit_task *task);
/* The path of a regular file, or "unknown path". */
const char *checkpoint_find_path(const struct checkpoint *checkpoint, uint64_t file_id);
/* files.img, or the images per type of older versions. */
int checkpoint_load_files(struct checkpoint *checkpoint);

/* The number of the descriptor table of a live task. */
int checkpoint_find_table(const struct checkpoint *checkpoint, const struct crit_task *task, uint32_t *ret);

/* The tasks, with their depths, as SVG. */
int explore_picture(struct checkpoint *checkpoint, struct buffer *out);
/* One task of a report; the line with its pid is there. */
int explore_files(const struct checkpoint *checkpoint, const struct crit_task *task, struct buffer *out);
int explore_mappings(const struct checkpoint *checkpoint, const struct crit_task *task, struct buffer *out);
int explore_pages(const struct checkpoint *checkpoint, const struct crit_task *task, struct buffer *out);
