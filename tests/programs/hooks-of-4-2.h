/* SPDX-License-Identifier: GPL-2.0-only */
/* Included before a plugin that is to be loaded by CRIU 4.2: does not compile if it would have more hooks. */
#pragma once

#include <criu/criu-plugin.h>

_Static_assert(CR_PLUGIN_HOOK__MAX == 13, "CRIU 4.2 has 13 hooks");
