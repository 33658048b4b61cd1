/* SPDX-License-Identifier: GPL-2.0-only */
/* What connections have sent that cannot be saved before it has arrived. */
#pragma once

/*
 * Waits for a moment, until the other ends of the connections of Multipath TCP have acknowledged all that they were
 * sent: nobody can read that (socket/inet/mptcp.c). In the network namespace that we are in, before it is locked, while
 * the tasks stand still.
 */
void network_await_acks(void);
