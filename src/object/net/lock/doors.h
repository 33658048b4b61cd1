/* SPDX-License-Identifier: GPL-2.0-only */
/* The doors of TCP servers: closed before the tasks stop, so that nobody waits for accept(2). */
#pragma once

struct dump;

/* Nobody new connects to the tasks, and those that wait are accepted. Until network_open_doors(). */
int network_dump_prepare(struct dump *d);
void network_open_doors(struct dump *d);
