/* SPDX-License-Identifier: GPL-2.0-only */
/* Namespaces in which no task of the tree lives: a mounted file (`ip netns add`) or a descriptor keeps them. */
#pragma once

struct dump;
struct restore;

/* Dump: those that descriptors keep. */
int namespaces_find_kept(const struct dump *d);

/* Restore: all that the inventory tells. */
int namespaces_restore_kept(const struct restore *r);
/* Where they are kept outside. */
void namespaces_need_kept(const struct restore *r);
int namespaces_open_kept(struct restore *r);
