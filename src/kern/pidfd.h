/* SPDX-License-Identifier: LGPL-2.1-only */
/* Process descriptors. All return -errno and log nothing. */
#pragma once

#include <sys/types.h>

int pidfd_of_process(pid_t pid); /* -ESRCH if it is gone; O_CLOEXEC */
int pidfd_of_thread(pid_t tid);	 /* -EINVAL before Linux 6.9 */
/* A copy (O_CLOEXEC) of descriptor fd of the process. -ESRCH: it is gone, -EBADF: not open there. */
int pidfd_take_fd(int pidfd, int fd);
int pidfd_signal(int pidfd, int signal);
/* Until the process is dead (a zombie counts). -ETIMEDOUT after that many ms; -1 = no limit. */
int pidfd_wait_exit(int pidfd, int timeout_ms);
/*
 * Takes the private memory of a process away that was killed, beside the process, which does the same: both together
 * are faster. -EINVAL if another one uses the memory and is not killed. process_mrelease(2), Linux 5.15.
 */
int pidfd_release_memory(int pidfd);
