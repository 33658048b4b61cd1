/* SPDX-License-Identifier: LGPL-2.1-only */
/* Work that a SIGKILL of this program must not cut in two: it is done by a process of its own, with all our memory and
 * descriptors. */
#pragma once

/* Runs work(arg) there, with all signals blocked, and waits for it. Returns its result, or -errno, logged. */
int apart_run(int (*work)(void *arg), void *arg);
