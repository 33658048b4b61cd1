/* SPDX-License-Identifier: GPL-2.0-only */
/* Dump: work that needs no more than a copy of the descriptor is put off and done by all workers, a bunch at a time. */
#pragma once

struct dump;
struct file_dump;

int file_run_later(const struct dump *d);
void file_later_done(struct file_dump *files); /* what is still to be done is forgotten */
