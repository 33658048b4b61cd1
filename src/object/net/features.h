/* SPDX-License-Identifier: GPL-2.0-only */
/* What a network device does for the kernel: checksums, segmentation, ... (ethtool -k). */
#pragma once

#include "netdev.pb-c.h"

struct pool;

/* Of a device of the namespace that we are in. */
int net_features_dump(struct pool *pool, NetDeviceEntry *entry);
int net_features_restore(const NetDeviceEntry *entry);
