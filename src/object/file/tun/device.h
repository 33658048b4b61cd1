/* SPDX-License-Identifier: GPL-2.0-only */
/* What a tun device is beside its file. */
#pragma once

#include "tun.pb-c.h"

struct dump;

/* Dump: everything about the device that goes with its last file, into the record. */
int tun_device_dump(const struct dump *d, const char *name, TunfileEntry *record);
/* Restore: is the record of a device complete and sensible? */
int tun_device_check(const TunfileEntry *record);
/* Restore: gives a new device its hardware address, mtu, addresses and routes, and switches it on. */
int tun_device_configure(const TunfileEntry *record);
