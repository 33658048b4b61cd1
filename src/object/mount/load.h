/* SPDX-License-Identifier: GPL-2.0-only */
/* Restore of mount namespaces: the images, and what they want from outside. */
#pragma once

struct namespace;
struct restore;

int mount_restore_load(const struct restore *r, struct namespace *ns);
/* When the mounts of all namespaces are known. */
int mount_restore_link(const struct restore *r);
/* Nothing exists yet: what the user must give is there. */
int mount_restore_require(struct restore *r, struct namespace *ns);
int mount_restore_needs(const struct restore *r, struct namespace *ns);
