/* SPDX-License-Identifier: GPL-2.0-only */
/* A program that comes by a connection, or a question about one that came before. */
#pragma once

struct options;
struct wire;

/* base: those of criu migrate --listen. 0: it runs here now, or the question was answered; else nothing of it is here.
 */
int arrival_serve(const struct options *base, struct wire *wire);
