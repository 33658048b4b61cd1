/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a restored tree will lack. Nothing is lost without a word: what a dump neither saves nor refuses is told here.
 * It becomes a warning in the log and in criu check --tree, a line of the inventory that criu verify shows, and a
 * number in the statistics. See docs/SURVEY.md.
 */
#pragma once

#include "session/session.h"

/*
 * The text says what is lost and, if there is one, the way out; the open scopes name the process and the object. In any
 * phase of a dump, by the main thread.
 */
#define dump_report_loss(d, ...) dump_report_loss_at((d), __FILE__, __LINE__, __VA_ARGS__)

void dump_report_loss_at(const struct dump *d, const char *file, int line, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* criu verify: the same as warnings. */
void restore_tell_losses(const struct restore *r);
