/* SPDX-License-Identifier: GPL-2.0-only */
/* Where a dump writes its images, and a restore reads them. */
#pragma once

#include <stdbool.h>

struct options;
struct store;

/* The images directory, or with --stream who listens in it; then the scripts run before. */
int images_open(const struct options *options, bool for_writing, struct store **ret);
