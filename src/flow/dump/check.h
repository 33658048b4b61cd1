/* SPDX-License-Identifier: GPL-2.0-only */
/* Relations between the tasks of a tree that cannot be saved. */
#pragma once

#include "session/session.h"

/* The tree is stopped and known. Refuses sessions and families that cannot be built again. */
int dump_check_tree(struct dump *d);
