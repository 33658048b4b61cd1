/* SPDX-License-Identifier: GPL-2.0-only */
/* What no call tells of a socket: where the kernel keeps it. */
#include "object/socket/view.h"

uint64_t socket_view_sock(struct kernel_view *view, int fd)
{
	uint64_t socket, sock;

	if (kernel_view_read(view, kernel_view_file(view, fd), "file", "private_data", &socket, sizeof(socket)) &&
	    kernel_view_read(view, socket, "socket", "sk", &sock, sizeof(sock)))
		return sock;
	return 0;
}
