/* SPDX-License-Identifier: GPL-2.0-only */
/* Making unix sockets again. */
#pragma once

struct restore;
struct unix_socket;

/* Makes the socket and all that can only be made together with it. */
int unix_create(struct restore *r, struct unix_socket *socket);
