/* SPDX-License-Identifier: GPL-2.0-only */
/* New internet sockets, before they have a name. */
#pragma once

#include "sk-inet.pb-c.h"

/* With the options that must be there before bind(2). */
int inet_make_socket(const InetSkEntry *entry, int *ret);
/* Has somebody else the address, now? */
int inet_check_free(const InetSkEntry *entry);
