/* SPDX-License-Identifier: GPL-2.0-only */
/* What the network does in which phase, beside the namespace kind "net": the lock. */
#include "engine/family.h"
#include "object/net/lock/doors.h"
#include "object/net/lock/lock.h"
#include "object/net/net.h"

const struct object_family net_family = {
	.name = "net",
	.dump_begin = network_dump_begin,
	.dump_prepare = network_dump_prepare,
	.dump_isolate = network_dump_isolate,
	.dump_lock = network_dump_lock,
	.dump_killed = network_dump_killed,
	.dump_unlock = network_dump_unlock,
	.dump_end = network_dump_unlock,
};
