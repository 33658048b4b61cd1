/* SPDX-License-Identifier: GPL-2.0-only */
/* What is true of the host that a tree is dumped on. */
#pragma once

#include "session/session.h"

/* Its security module, for the inventory. */
void host_note_security(struct dump *d);
