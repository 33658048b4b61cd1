/* SPDX-License-Identifier: LGPL-2.1-only */
/* The name under which older programs include the descriptors plugin. */
#ifndef COMPEL_PLUGIN_FDS_H
#define COMPEL_PLUGIN_FDS_H

#include <compel/plugins/std/fds.h>

#endif
