/* SPDX-License-Identifier: GPL-2.0-only */
/* Addresses of internet sockets, between the kernel's form and the record. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "sk-inet.pb-c.h"

struct inet_diag;
struct pool;
union inet_address;

/* Both directions between the kernel's form and the record. */
int inet_dump_addresses(int fd, const struct inet_diag *diag, InetSkEntry *entry, struct pool *pool);
int inet_check_addresses(const InetSkEntry *entry);
bool inet_is_bound(const InetSkEntry *entry);
bool inet_is_connected(const InetSkEntry *entry);
int inet_source(const InetSkEntry *entry, union inet_address *ret);
int inet_destination(const InetSkEntry *entry, union inet_address *ret);
/* "10.0.0.1:22 -> 10.0.0.7:41000", for messages. */
void inet_print(const InetSkEntry *entry, char *to, size_t capacity);
