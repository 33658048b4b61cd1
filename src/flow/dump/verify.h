/* SPDX-License-Identifier: GPL-2.0-only */
/* Would a restore take what was just dumped? */
#pragma once

#include "session/session.h"

/* All images are there, the inventory as well; the tasks still are. Refused, with the reason, if a restore would be. */
int dump_verify(struct dump *d);
