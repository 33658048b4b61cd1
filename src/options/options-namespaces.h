/* SPDX-License-Identifier: GPL-2.0-only */
/* The values of options that are about namespaces. */
#pragma once

#include "options/options-set.h"

OPTION_SET(join_ns);
OPTION_SET(empty_ns);
