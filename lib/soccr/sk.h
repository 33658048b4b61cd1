/* SPDX-License-Identifier: LGPL-2.1-only */
/* What the files of libsoccr share. */
#pragma once

#include <stdbool.h>

#include "soccr.h"

#define SOCCR_DATA_SIZE 68 /* of struct libsoccr_sk_data in its first form */

enum { SOCCR_PEER, SOCCR_SELF };

struct libsoccr_sk {
	int fd;
	char *bytes[2]; /* receive queue, send queue */
	bool bytes_ours[2];
	union libsoccr_addr addr[2]; /* by SOCCR_PEER, SOCCR_SELF; family 0: not set */
};

#define QUEUE_INDEX(queue) ((queue) == TCP_RECV_QUEUE ? 0 : 1)

/* What the states mean for sequence numbers. */
static inline bool soccr_fin_sent(uint32_t state)
{
	return state == TCP_FIN_WAIT1 || state == TCP_FIN_WAIT2 || state == TCP_CLOSING || state == TCP_LAST_ACK;
}

/* ... and not acknowledged yet: it stands in the send queue. */
static inline bool soccr_fin_in_queue(uint32_t state)
{
	return state == TCP_FIN_WAIT1 || state == TCP_CLOSING || state == TCP_LAST_ACK;
}

static inline bool soccr_fin_received(uint32_t state)
{
	return state == TCP_CLOSE_WAIT || state == TCP_CLOSING || state == TCP_LAST_ACK;
}

bool soccr_state_is_known(uint32_t state);

/* Logs with strerror(errno) at the end, keeps errno, returns -1. */
int soccr_fail(const char *what);
void soccr_debug(const char *what, unsigned int number);

/* repair: TCP_REPAIR_ON, TCP_REPAIR_OFF, or TCP_REPAIR_OFF_NO_WP. Return 0 or -1. */
int soccr_set_repair(int fd, int repair);
int soccr_set_queue(int fd, int queue);
