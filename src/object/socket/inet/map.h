/* SPDX-License-Identifier: GPL-2.0-only */
/* Addresses that are others here than where the dump was made: --tcp-map. */
#pragma once

#include "sk-inet.pb-c.h"

struct restore;

/* The addresses of a record become those that --tcp-map says. */
void inet_map_addresses(const struct restore *r, InetSkEntry *entry);
