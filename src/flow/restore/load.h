/* SPDX-License-Identifier: GPL-2.0-only */
/* Reading, checking and linking a whole checkpoint. Nothing exists yet and no privilege is needed. */
#pragma once

#include "session/session.h"

/* r->options and r->store are set. */
int restore_load(struct restore *r);
