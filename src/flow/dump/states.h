/* SPDX-License-Identifier: GPL-2.0-only */
/* The phases from mappings to track of a dump. */
#pragma once

#include "session/session.h"

/* Registers, and all that the parts of tasks know from outside and from inside. The records are in memory then. */
int dump_states(struct dump *d);
