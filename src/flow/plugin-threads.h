/* SPDX-License-Identifier: GPL-2.0-only */
/* Threads that plugins let run for a while. */
#pragma once

#include "plugin/plugin.h"

/* For a struct dump, and for a struct restore. */
extern const struct plugin_host dump_plugin_host, restore_plugin_host;
