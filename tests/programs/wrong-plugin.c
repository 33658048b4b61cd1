// SPDX-License-Identifier: GPL-2.0-only
/* A plugin with the descriptor that the compiler is told: -DNAME, -DVERSION, -DHOOKS. */
#include <criu/criu-plugin.h>

cr_plugin_desc_t CR_PLUGIN_DESC = { .name = NAME, .version = VERSION, .max_hooks = HOOKS };
