/* SPDX-License-Identifier: GPL-2.0-only */
/* What threads have in common, seen for all of them at once: struct shared_objects. */
#pragma once

#include "session/session.h"

/* Before anything stands still: what takes long, if there are many threads. */
void shared_objects_prepare(struct dump *d);
/* Of all threads that stand still. Where it was not worth it, or this kernel cannot tell, nothing is known. */
void shared_objects_find(struct dump *d);
