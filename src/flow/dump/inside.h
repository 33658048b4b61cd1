/* SPDX-License-Identifier: GPL-2.0-only */
/* The phases ask, inside and answer of a dump. */
#pragma once

#include "session/session.h"

/* All threads of all tasks that were looked at from outside run a plan, many tasks side by side. */
int dump_inside(struct dump *d);
