/* SPDX-License-Identifier: GPL-2.0-only */
/* What becomes of each task once all have their contents: parts, the last steps, registers. */
#pragma once

#include "session/session.h"

int restore_parts(struct restore *r);	      /* of all threads at once */
int restore_last(struct restore *r);	      /* seize all, last steps */
int restore_set_registers(struct restore *r); /* registers; all stand in ptrace stops afterwards */
