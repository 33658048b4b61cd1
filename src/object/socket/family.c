/* SPDX-License-Identifier: GPL-2.0-only */
/* What sockets do in which phase, beside what they do as kinds of files. */
#include "engine/family.h"
#include "object/socket/unix/unix.h"

const struct object_family socket_family = {
	.name = "socket",
	.dump_take = unix_dump_take,
};
