/* SPDX-License-Identifier: GPL-2.0-only */
/* Whom a datagram that waits has come from. */
#pragma once

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>

struct restore;
struct unix_socket;

/* A datagram can be sent to it from a socket of any name. */
bool unix_can_name_sender(const struct unix_socket *to);
/* A socket of this name, to be closed by the caller. -ENOENT, unlogged: the name is taken by a stranger. */
int unix_open_sender(struct restore *r, const ProtobufCBinaryData *name);
