/* SPDX-License-Identifier: GPL-2.0-only */
/* Names of the requests of an io_uring, for people. */
#pragma once

/* "POLL_ADD" for IORING_OP_POLL_ADD. */
const char *uring_request_name(unsigned opcode);
