/* SPDX-License-Identifier: GPL-2.0-only */
/* Process groups of a restore. */
#pragma once

#include "session/session.h"

/* They can only be joined when all tasks of a session are there. */
int restore_groups(struct restore *r);
