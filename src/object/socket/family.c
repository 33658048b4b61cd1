/* SPDX-License-Identifier: GPL-2.0-only */
/* What sockets do in which phase, beside the file kinds that they are: the tables of the kernel. */
#include "engine/family.h"
#include "object/socket/socket.h"

static void end_dump(struct dump *d)
{
	unix_dump_end(d);
	socket_dump_done(d);
}

const struct object_family socket_family = {
	.name = "socket",
	.dump_end = end_dump,
};
