/* SPDX-License-Identifier: LGPL-2.1-only */
/* SCM_RIGHTS in both worlds: the library compiles this file with libc, the std plugin (COMPEL_PARASITE) without. */
#include <compel/common/scm.h>
#include <stdint.h>

#ifdef COMPEL_PARASITE
#include <compel/plugins/std/string.h>
#include <compel/plugins/std/syscall.h>
#include <errno.h>

#define send_message	    sys_sendmsg
#define receive_message	    sys_recvmsg
#define close_descriptor    sys_close
#define failed(result)	    ((int)(result))
#define interrupted(result) ((result) == -EINTR)
#else
#include <errno.h>
#include <string.h>
#include <unistd.h>

#define send_message	    sendmsg
#define receive_message	    recvmsg
#define close_descriptor    close
#define failed(result)	    ((void)(result), -1)
#define interrupted(result) ((result) < 0 && errno == EINTR)
#endif

union control {
	struct cmsghdr head;
	char capacity[CMSG_SPACE(sizeof(int) * CR_SCM_MAX_FD)];
};

static int protocol_error(void)
{
#ifndef COMPEL_PARASITE
	errno = EPROTO;
	return -1;
#else
	return -EPROTO;
#endif
}

static int send_some(int sock, struct sockaddr_un *saddr, int len, const int *fds, int n, void *data, size_t size)
{
	union control control;
	char nothing = 0; /* a message must have at least one byte */
	struct iovec iov = { .iov_base = data ? data : &nothing, .iov_len = data ? size : 1 };
	struct msghdr message = {
		.msg_name = saddr,
		.msg_namelen = (socklen_t)len,
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = CMSG_SPACE(sizeof(int) * (size_t)n),
	};
	long result;

	memset(&control, 0, sizeof(control));
	control.head.cmsg_level = SOL_SOCKET;
	control.head.cmsg_type = SCM_RIGHTS;
	control.head.cmsg_len = CMSG_LEN(sizeof(int) * (size_t)n);
	memcpy(CMSG_DATA(&control.head), fds, sizeof(int) * (size_t)n);
	do
		result = send_message(sock, &message, MSG_NOSIGNAL);
	while (interrupted(result));
	return result < 0 ? failed(result) : 0;
}

int send_fds(int sock, struct sockaddr_un *saddr, int len, int *fds, int nr_fds, void *data, unsigned ch_size)
{
	for (int done = 0; done < nr_fds;) {
		int n = nr_fds - done < CR_SCM_MAX_FD ? nr_fds - done : CR_SCM_MAX_FD;
		void *chunk = data && ch_size ? (char *)data + (size_t)done * ch_size : 0;
		int error = send_some(sock, saddr, len, fds + done, n, chunk, (size_t)n * ch_size);

		if (error < 0)
			return error;
		done += n;
	}
	return 0;
}

/* Takes up to n descriptors; returns how many came. More than n close themselves: the room is not there (MSG_CTRUNC).
 */
static int receive_some(int sock, int *fds, int n, void *data, size_t size, int flags)
{
	union control control;
	char nothing;
	struct iovec iov = { .iov_base = data ? data : &nothing, .iov_len = data ? size : 1 };
	struct msghdr message = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = CMSG_SPACE(sizeof(int) * (size_t)n),
	};
	struct cmsghdr *head;
	size_t got;
	long result;

	do
		result = receive_message(sock, &message, flags);
	while (interrupted(result));
	if (result < 0)
		return failed(result);
	head = CMSG_FIRSTHDR(&message);
	if (!head || head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS)
		return protocol_error();
	got = (head->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	/* CMSG_SPACE rounds up, so one more may fit. */
	for (size_t i = (size_t)n; i < got; i++) {
		int fd;

		memcpy(&fd, CMSG_DATA(head) + i * sizeof(int), sizeof(int));
		close_descriptor(fd);
	}
	if (got > (size_t)n)
		got = (size_t)n;
	memcpy(fds, CMSG_DATA(head), got * sizeof(int));
	return (int)got;
}

int __recv_fds(int sock, int *fds, int nr_fds, void *data, unsigned ch_size, int flags)
{
	int done = 0;

	while (done < nr_fds) {
		int n = nr_fds - done < CR_SCM_MAX_FD ? nr_fds - done : CR_SCM_MAX_FD;
		void *chunk = data && ch_size ? (char *)data + (size_t)done * ch_size : 0;
		int got = receive_some(sock, fds + done, n, chunk, (size_t)n * ch_size, flags);

		if (got <= 0) {
			while (done)
				close_descriptor(fds[--done]);
			return got < 0 ? got : protocol_error();
		}
		done += got;
	}
	return 0;
}
