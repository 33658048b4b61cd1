/* SPDX-License-Identifier: LGPL-2.1-only */
/* libsoccr: the object, its buffers and addresses, the log, repair mode. */
#include "lib/soccr/sk.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#ifndef TCP_REPAIR_ON
#define TCP_REPAIR_ON  1
#define TCP_REPAIR_OFF 0
#endif
#ifndef TCP_REPAIR_OFF_NO_WP
#define TCP_REPAIR_OFF_NO_WP -1 /* Linux 4.19 */
#endif

static struct {
	unsigned int level;
	void (*fn)(unsigned int level, const char *fmt, ...);
} logging;

void libsoccr_set_log(unsigned int level, void (*fn)(unsigned int level, const char *fmt, ...))
{
	logging.level = level;
	logging.fn = fn;
}

int soccr_fail(const char *what)
{
	int error = errno;

	if (logging.fn && logging.level >= SOCCR_LOG_ERR)
		logging.fn(SOCCR_LOG_ERR, "%s: %s\n", what, strerror(error));
	errno = error;
	return -1;
}

void soccr_debug(const char *what, unsigned int number)
{
	if (logging.fn && logging.level >= SOCCR_LOG_DBG)
		logging.fn(SOCCR_LOG_DBG, "%s: %u\n", what, number);
}

int soccr_set_repair(int fd, int repair)
{
	if (!setsockopt(fd, IPPROTO_TCP, TCP_REPAIR, &repair, sizeof(repair)))
		return 0;
	if (errno == EINVAL && repair == TCP_REPAIR_OFF_NO_WP)
		return soccr_set_repair(fd, TCP_REPAIR_OFF);
	return soccr_fail("cannot switch the repair mode of the socket");
}

int soccr_set_queue(int fd, int queue)
{
	if (setsockopt(fd, IPPROTO_TCP, TCP_REPAIR_QUEUE, &queue, sizeof(queue)) < 0)
		return soccr_fail("cannot choose the queue to repair");
	return 0;
}

bool soccr_state_is_known(uint32_t state)
{
	switch (state) {
	case TCP_ESTABLISHED:
	case TCP_SYN_SENT:
	case TCP_FIN_WAIT1:
	case TCP_FIN_WAIT2:
	case TCP_CLOSE:
	case TCP_CLOSE_WAIT:
	case TCP_LAST_ACK:
	case TCP_CLOSING:
		return true;
	}
	return false;
}

struct libsoccr_sk *libsoccr_pause(int fd)
{
	struct libsoccr_sk *sk;

	if (soccr_set_repair(fd, TCP_REPAIR_ON) < 0)
		return NULL;
	sk = calloc(1, sizeof(*sk));
	if (!sk) {
		soccr_set_repair(fd, TCP_REPAIR_OFF_NO_WP);
		errno = ENOMEM;
		return NULL;
	}
	sk->fd = fd;
	return sk;
}

void libsoccr_release(struct libsoccr_sk *sk)
{
	for (int i = 0; i < 2; i++)
		if (sk->bytes_ours[i])
			free(sk->bytes[i]);
	free(sk);
}

void libsoccr_resume(struct libsoccr_sk *sk)
{
	soccr_set_repair(sk->fd, TCP_REPAIR_OFF);
	libsoccr_release(sk);
}

static bool is_queue(int queue_id)
{
	return queue_id == TCP_RECV_QUEUE || queue_id == TCP_SEND_QUEUE;
}

char *libsoccr_get_queue_bytes(struct libsoccr_sk *sk, int queue_id, unsigned int flags)
{
	int i = QUEUE_INDEX(queue_id);

	if (!is_queue(queue_id) || (flags & ~(unsigned int)SOCCR_MEM_EXCL)) {
		errno = EINVAL;
		return NULL;
	}
	if (flags & SOCCR_MEM_EXCL)
		sk->bytes_ours[i] = false;
	return sk->bytes[i];
}

union libsoccr_addr *libsoccr_get_addr(struct libsoccr_sk *sk, int self, unsigned int flags)
{
	(void)sk;
	(void)self;
	(void)flags;
	errno = EOPNOTSUPP;
	return NULL;
}

int libsoccr_set_queue_bytes(struct libsoccr_sk *sk, int queue_id, char *bytes, unsigned int flags)
{
	int i = QUEUE_INDEX(queue_id);

	if (!is_queue(queue_id) || (flags & ~(unsigned int)SOCCR_MEM_EXCL)) {
		errno = EINVAL;
		return -1;
	}
	if (sk->bytes_ours[i] && sk->bytes[i] != bytes)
		free(sk->bytes[i]);
	sk->bytes[i] = bytes;
	sk->bytes_ours[i] = flags & SOCCR_MEM_EXCL;
	return 0;
}

int libsoccr_set_addr(struct libsoccr_sk *sk, int self, union libsoccr_addr *addr, unsigned int flags)
{
	if ((flags & ~(unsigned int)SOCCR_MEM_EXCL) || (self != SOCCR_SELF && self != SOCCR_PEER)) {
		errno = EINVAL;
		return -1;
	}
	sk->addr[self] = *addr;
	if (flags & SOCCR_MEM_EXCL)
		free(addr);
	return 0;
}
