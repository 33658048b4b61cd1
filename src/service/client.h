/* SPDX-License-Identifier: GPL-2.0-only */
/* Who the client is, by the credentials of its socket, and acting in its name. */
#pragma once

struct connection;

/* Asks the socket who is at its other end; pid 0: a process of an outer pid namespace, whose
 * descriptors we cannot name. -errno after it was logged. */
int client_identify(struct connection *connection);
/*
 * Takes over the rights of a client who is not who runs the service, with the few capabilities that a checkpoint needs,
 * and what else bounds its processes. -errno as above.
 */
int client_become(struct connection *connection);
