/* SPDX-License-Identifier: GPL-2.0-only */
/* Would a restore take what was just dumped? */
#pragma once

#include "session/session.h"

struct dump_verify;

/* Before anything stands still: what a restore asks of criu itself and of this machine. */
int dump_verify_begin(struct dump *d);
void dump_verify_end(struct dump_verify **verify); /* accepts NULL */
/* All images are there, the inventory as well; the tasks still are. Refused, with the reason, if a restore would be. */
int dump_verify(struct dump *d);
