// SPDX-License-Identifier: GPL-2.0-only
/* The same among so many threads that most of them are not looked at one by one. */
#define IDLE 120
#include "limited-waits.c"
