/* SPDX-License-Identifier: GPL-2.0-only */
/* What sockets do in which phase, beside what they do as kinds of files. */
#include "base/fail.h"
#include "engine/family.h"
#include "object/socket/inet/tcp-backlog.h"
#include "object/socket/socket.h"
#include "object/socket/unix/backlog.h"

bool socket_may_take(const struct dump *d)
{
	return tcp_backlog_is_watched(d);
}

/* What waits for accept(2). */
static int take_backlogs(struct dump *d)
{
	TRY(tcp_backlog_take(d));
	return unix_dump_take(d);
}

const struct object_family socket_family = {
	.name = "socket",
	.dump_take = take_backlogs,
	.dump_put_back = tcp_backlog_put_back,
};
