/* SPDX-License-Identifier: GPL-2.0-only */
/* Where a dump writes its images, and a restore reads them. */
#pragma once

#include <stdbool.h>

struct listener;
struct options;
struct store;

/* As images_open(); with --stream who listens in that directory instead, then the scripts run before. */
int stream_or_images_open(const struct options *options, struct listener *listener, bool for_writing,
			  struct store **ret);
