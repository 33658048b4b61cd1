/* SPDX-License-Identifier: GPL-2.0-only */
/* Overlays: of directories of the namespace that they are mounted in, or of directories outside, which container
 * managers make volumes of (podman run -v DIR:/PLACE:O) before they change the root. */
#pragma once

#include <stdbool.h>

struct dump;
struct mount;
struct restore;
struct superblock;

/* Calls take() for each layer that its options name, work directory included, until it returns false. */
bool overlay_for_all_layers(const char *options, bool (*take)(const char *path, void *arg), void *arg);
/* The path of an option that has but one ("upperdir="); NULL: it is not there. To be freed. */
char *overlay_path(const char *options, const char *name);
/* Finds out where its layers are. */
int overlay_dump(const struct dump *d, struct mount *mount);
/* The directories outside that it was made of, if all are there: 1; else 0. */
int overlay_find_outside(const struct dump *d, struct mount *mount);
/* One of its layers is at or below that place; */
bool overlay_has_layer_on(const struct mount *mount, const struct mount *other);
/* in what was mounted there before; */
bool overlay_lies_on(const struct mount *mount, const struct mount *other);
/* below what was mounted there later, as the images tell. */
bool overlay_lies_below(const struct mount *mount, const struct mount *other);
/* Saves the upper directory of one that was made outside. */
int overlay_save(struct dump *d, const struct superblock *super);
/* Restore: makes it again if it is gone; */
int overlay_prepare(struct restore *r, const struct superblock *super);
/* after a failure it is gone again. */
void overlay_undo(struct restore *r);
