/* SPDX-License-Identifier: GPL-2.0-only */
/* Packets of a client's socket, to records and back. */
#pragma once

#include "rpc.pb-c.h"

/*
 * One packet each. A received message is freed by criu_req__free_unpacked(). -ENOTCONN: the client is gone.
 * -EBADMSG, -EMSGSIZE: not a message of ours, -ETIMEDOUT; the packet is taken off. Logs nothing.
 */
int message_receive(int fd, CriuReq **ret);
/* passed is a descriptor for the client or -1. Returns 0 or -errno, not logged. */
int message_send(int fd, const CriuResp *message, int passed);
