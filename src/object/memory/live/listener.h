/* SPDX-License-Identifier: GPL-2.0-only */
/* A thread that reads what userfaultfds of programs tell: whoever told it waits until then. */
#pragma once

#include <stdbool.h>

struct event_listener;

struct event_listener *listener_create(void);
/* Before it is started; told becomes true as soon as there is something to be read. A descriptor of -1 tells nothing.
 */
void listener_add(struct event_listener *listener, int uffd, _Atomic bool *told);
int listener_start(struct event_listener *listener); /* -errno, not logged */
void listener_stop(struct event_listener *listener); /* may be called twice, and if it was not started */
void listener_destroy(struct event_listener **listener);
