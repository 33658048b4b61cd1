/* SPDX-License-Identifier: GPL-2.0-only */
/* Whether the sessions, groups and shared memories of the tree could be made again. When it is known who shares what.
 */
#pragma once

#include "session/session.h"

int dump_check_families(struct dump *d);
