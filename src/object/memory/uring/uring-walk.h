/* SPDX-License-Identifier: GPL-2.0-only */
/* Which requests of an io_uring wait for a file, for a time, or for each other. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct uring_view;

struct uring_met {
	uint64_t request; /* struct io_kiocb */
	bool follows;	  /* it is linked to the one that was met before, and begins when that has ended */
	bool begun;	  /* the kernel has tried it: false for those that follow, and that wait for all before them */
};

/* All that follow one are met right after it; those that wait for all before them (IOSQE_IO_DRAIN) come last. */
void uring_requests_walk(struct uring_view *view, uint64_t ctx, void (*found)(void *arg, const struct uring_met *met),
			 void *arg);
