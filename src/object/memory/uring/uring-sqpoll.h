/* SPDX-License-Identifier: GPL-2.0-only */
/* The thread of the kernel that takes the requests of an io_uring (IORING_SETUP_SQPOLL). */
#pragma once

#include "uring.pb-c.h"

struct dump;
struct io_uring_params;
struct open_file;
struct restore;
struct uring_look;
struct uring_rings;

int uring_dump_thread(const struct dump *d, const struct open_file *of, const struct uring_look *look,
		      UringEntry *record);
/* At last: whether it has gone on since, as nothing can stop it. */
int uring_check_thread(const UringEntry *record, const struct uring_look *look);

int uring_load_thread(const UringEntry *record);
int uring_link_thread(const struct restore *r, const UringEntry *record);
/* io_uring_setup(2) in the process whose thread it is. */
int uring_setup_polled(struct restore *r, const UringEntry *record, struct io_uring_params *params, int *ret_fd);
/* Until it has taken all requests that are in the ring. */
int uring_wake_thread(int fd, const struct uring_rings *at);
