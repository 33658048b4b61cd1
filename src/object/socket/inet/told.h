/* SPDX-License-Identifier: GPL-2.0-only */
/* Options of internet sockets that the kernel's table shows. */
#pragma once

#include <stdbool.h>

/* For struct socket_options; diag is a struct inet_diag. */
bool inet_told(const void *diag, int level, int option, int *ret);
