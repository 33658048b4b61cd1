/* SPDX-License-Identifier: GPL-2.0-only */
/* Opens paths of images for root. */
#pragma once

struct open_how;

/* Restore: openat2(2) of an absolute path of the images; links that somebody else than root has put on the way since
 * the dump are not followed. -1 and errno. */
int regular_open_path(const char *path, const struct open_how *how);
