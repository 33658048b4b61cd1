/* SPDX-License-Identifier: GPL-2.0-only */
/* The story of a restore. */
#pragma once

#include "options/options.h"

/* Brings the tree in options->images_dir_fd back. Returns 0 or -errno; no process is left behind after a failure. */
int restore_run(const struct options *options);
