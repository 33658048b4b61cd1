/* SPDX-License-Identifier: GPL-2.0-only */
/* What is true of the host that a tree is dumped on. */
#pragma once

#include "session/session.h"

/* Its clocks (timens-0.img), its security module. */
int host_write(struct dump *d);
