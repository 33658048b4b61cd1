/* SPDX-License-Identifier: LGPL-2.1-only */
/* Descriptors over the daemon's control socket; "compel plugins fds". The other side: <compel/infect-util.h>. */
#ifndef COMPEL_PLUGIN_STD_FDS_H
#define COMPEL_PLUGIN_STD_FDS_H

/* 0, or -errno. The descriptor stays open. */
int fds_send_fd(int fd);
/* The descriptor, or -errno. */
int fds_recv_fd(void);

#endif
