/* SPDX-License-Identifier: GPL-2.0-only */
/* Sockets in the kernel's memory (session/kernel-view.h). */
#pragma once

#include <stdint.h>

#include "session/kernel-view.h"

/* The struct sock behind a descriptor of ours, 0: it cannot be found. */
uint64_t socket_view_sock(struct kernel_view *view, int fd);
