/* SPDX-License-Identifier: GPL-2.0-only */
/* The vdso of 32-bit programs. */
#pragma once

struct plan;
struct restore;
struct task;

/* As vdso_load() and vdso_plan(), for a 32-bit program. */
int vdso_compat_load(const struct restore *r, struct task *task);
int vdso_compat_plan(const struct restore *r, struct task *task, struct plan *plan);
