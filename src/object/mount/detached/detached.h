/* SPDX-License-Identifier: GPL-2.0-only */
/* Mounts that hang nowhere: open_tree(2), fsmount(2), umount -l. */
#pragma once

struct dump;

/* Dump: what the directories of tasks lie on and no namespace shows joins the mounts of the namespace of that task. */
int detached_find(const struct dump *d);
