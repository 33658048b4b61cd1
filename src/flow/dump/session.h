/* SPDX-License-Identifier: GPL-2.0-only */
/* What every dump, pre-dump and survey begins and ends with. */
#pragma once

struct dump;
struct options;

int dump_begin(struct dump *d, const struct options *options);
int dump_load_plugins(struct dump *d);
void dump_end(struct dump *d);
/* --auto-dedup, when the images are complete: what they have anew goes from the parents. A failure is only logged. */
void dump_free_parents(const struct options *options);
