/* SPDX-License-Identifier: LGPL-2.1-only */
/* Descriptors. */
#pragma once

#include <stdint.h>

/* Duplicates fd to a number of at least min with FD_CLOEXEC; closes the original. Returns the new number or -errno. */
int fd_move_above(int fd, int min);
/*
 * All open descriptors of a process in rising order, malloc'ed; folder of /proc/PID: "fd", or "fdinfo" if that is
 * looked at next, as the kernel makes an inode for each name that it lists. Returns the count or -errno.
 */
int fd_list(int proc_pid_dir, const char *folder, int **ret);
/* Raises RLIMIT_NOFILE of this process to fs.nr_open, or without the right to do so to its hard limit; returns the
 * limit. */
uint64_t fd_raise_limit(void);
/*
 * Makes room for n descriptors (or as many as the limit allows) in the table of this process. To be called before there
 * are threads: when a table that threads share must grow, the kernel waits for an RCU grace period, 10 ms or more each
 * time.
 */
void fd_reserve(unsigned n);
/* Closes all descriptors of this process but these; 0 to 2 are /dev/null then, if they are not among them. 0 or -errno.
 */
int fd_close_others(const int *kept, unsigned n);
/* One byte with these descriptors through a unix socket, at most FDS_SENT_MAX. 0 or -errno. */
#define FDS_SENT_MAX 2
int fd_send(int socket, const int *fds, unsigned n);
/* Into an array of FDS_SENT_MAX: how many have come; 0: the other end has closed, or has sent none; or -errno. */
int fd_receive(int socket, int *fds);
