/* SPDX-License-Identifier: GPL-2.0-only */
/* No answers from a network namespace that dies with its tasks. */
#pragma once

struct dump;

/*
 * The tasks are gone, and this descriptor may be the last thing that keeps its network namespace: then nothing goes out
 * of that any more. One that somebody else keeps stays as it is.
 */
void network_silence(const struct dump *d, int ns_fd);
