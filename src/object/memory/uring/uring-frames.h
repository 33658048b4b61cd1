/* SPDX-License-Identifier: GPL-2.0-only */
/* Memory of a program that an io_uring holds fast, by its frames: which process has it, and where. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct page_tables;
struct task;
struct uring_view;

/* So many frames in a row, beginning with this one, at an address of a process. */
int uring_frames_compare(const struct page_tables *tables, uint64_t address, uint64_t frame, uint64_t n, bool *ret);
/* Where a process has the frames of an array of n pointers to struct page; 0: nowhere. */
int uring_frames_find(struct uring_view *view, const struct task *task, uint64_t pages, uint64_t n, uint64_t *ret);
/* The kernel writes there, and that does not show in the page tables. Returns whether the program may write, too. */
bool uring_frames_pin(const struct task *task, uint64_t address, uint64_t length);
