/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Unix sockets that are like a fresh one: the kernel's memory tells of all at once which members differ from those of a
 * socket that was just made, so options that are the same need not be asked for, one call each. Without the right to
 * look there, or where members are unknown, nothing is known here, and all is asked for.
 */
#pragma once

#include <stdbool.h>
#include <sys/socket.h>

struct dump;
struct unix_diag;
struct alike;

/* Its network namespace is entered. NULL: nothing is known. It lives as long as the dump. */
const struct alike *alike_find(const struct dump *d, const struct unix_diag *diag);
/* Whether nothing at all differs that options are made of. False for NULL, as all that follows. */
bool alike_in_all(const struct alike *alike);
/* What getsockopt(2) would say: ret_error is 0 or errno. False: it is not known. */
bool alike_getsockopt(const struct alike *alike, int option, void *value, socklen_t *size, int *ret_error);
/* It has no name; no error waits in it. */
bool alike_has_no_name(const struct alike *alike);
bool alike_has_no_error(const struct alike *alike);
/* What no call tells (set-only.h). */
bool alike_has_inq(const struct alike *alike);
