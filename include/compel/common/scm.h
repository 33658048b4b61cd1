/* SPDX-License-Identifier: LGPL-2.1-only */
/* Descriptors over unix sockets (unix(7), SCM_RIGHTS). For programs and for parasites with the fds plugin. */
#ifndef COMPEL_COMMON_SCM_H
#define COMPEL_COMMON_SCM_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

#ifdef __cplusplus
extern "C" {
#endif

/* So many go into one message: SCM_MAX_FD of the kernel is 253. */
#define CR_SCM_MAX_FD 252

/*
 * Sends nr descriptors, in as many messages as that takes. saddr of length len: to whom; NULL and 0 on a connected
 * socket. data: nr chunks of ch_size bytes that go with the descriptors, or NULL. 0, or a negative number; in a program
 * errno says why, in a parasite it is the -errno.
 */
int send_fds(int sock, struct sockaddr_un *saddr, int len, int *fds, int nr_fds, void *data, unsigned ch_size);

/*
 * Receives exactly nr descriptors and their data as send_fds() sent them. flags: of recvmsg(2); with MSG_CMSG_CLOEXEC
 * the descriptors are not inherited. 0 or a negative number as above; then nothing is left open.
 */
int __recv_fds(int sock, int *fds, int nr_fds, void *data, unsigned ch_size, int flags);

static inline int recv_fds(int sock, int *fds, int nr_fds, void *data, unsigned ch_size)
{
	return __recv_fds(sock, fds, nr_fds, data, ch_size, 0);
}

static inline int send_fd(int sock, struct sockaddr_un *saddr, int saddr_len, int fd)
{
	return send_fds(sock, saddr, saddr_len, &fd, 1, (void *)0, 0);
}

/* The descriptor, or a negative number. */
static inline int recv_fd(int sock)
{
	int fd, ret = recv_fds(sock, &fd, 1, (void *)0, 0);

	return ret ? (ret < 0 ? ret : -1) : fd;
}

#ifdef __cplusplus
}
#endif

#endif
