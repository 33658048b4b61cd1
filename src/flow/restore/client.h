/* SPDX-License-Identifier: GPL-2.0-only */
/* A program that had asked for its own dump. */
#pragma once

struct restore;

/* It has waited for the end of its request since, and is told that it was restored. A failure is logged. */
void restore_answer_client(const struct restore *r);
