/* SPDX-License-Identifier: GPL-2.0-only */
/* What plugins do with threads: they let some run for a while, and devices go on at the end. */
#pragma once

#include "plugin/plugin.h"

struct restore;

/* For a struct dump, and for a struct restore. */
extern const struct plugin_host dump_plugin_host, restore_plugin_host;

/* The tasks are complete: plugins may let their devices go on. There is no way back; a failure is only logged. */
void restore_resume_devices(struct restore *r);
