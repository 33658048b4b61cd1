/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The sysctls of a network namespace and of its devices, /proc/sys/net. The calling thread is in the namespace. The
 * format keeps values without names, their place in the list is the name; those that it has no place for have records
 * of ours.
 */
#pragma once

#include "base/pool.h"
#include "netdev.pb-c.h"

struct restore;

/* --- dump --- */

int net_settings_dump(struct pool *pool, NetnsEntry *entry);
int net_settings_dump_device(struct pool *pool, NetDeviceEntry *entry);

/* --- restore --- */

/* Whether types and paths make sense. */
int net_settings_check(const NetnsEntry *entry);
int net_settings_check_device(const NetDeviceEntry *entry);
/* Before the devices are made: they take the values of "default". */
int net_settings_restore(const struct restore *r, const NetnsEntry *entry);
/* While the device is down. */
int net_settings_restore_device(const struct restore *r, const NetDeviceEntry *entry);
/* When all devices are there: what has no place in the format. Those of other devices than these are left out. */
int net_settings_restore_others(const NetnsEntry *entry, NetDeviceEntry *const *devices, size_t n);
