/* SPDX-License-Identifier: LGPL-2.1-only */
/* Descriptors to and from a parasite daemon, while it runs fds_recv_fd() or fds_send_fd() of
 * <compel/plugins/std/fds.h>. */
#ifndef COMPEL_INFECT_UTIL_H
#define COMPEL_INFECT_UTIL_H

#ifdef __cplusplus
extern "C" {
#endif

struct parasite_ctl;

/* A text that becomes part of socket names; may stay empty. Names are unique without it. */
#define RUN_ID_HASH_LENGTH 36
extern char compel_run_id[RUN_ID_HASH_LENGTH + 1];

/* Both return 0, or -1 with errno. The descriptor sent stays the caller's; the one received becomes the caller's,
 * close-on-exec is set. */
int compel_util_send_fd(struct parasite_ctl *ctl, int fd);
int compel_util_recv_fd(struct parasite_ctl *ctl, int *pfd);

#ifdef __cplusplus
}
#endif

#endif
