/* SPDX-License-Identifier: GPL-2.0-only */
/* User namespaces of single tasks, within that of the root of the tree, or within each other. */
#pragma once

struct namespace;
struct plan;
struct restore;
struct task;

/* Made, with its maps and a broker; that around it exists. */
int user_make_inner(struct restore *r, struct namespace *ns);
/* Steps of a task that goes into it: it takes its ids first. Slots: a pidfd of who stands in for us, and a free one. */
void user_plan_inner(struct restore *r, struct task *task, const struct namespace *ns, struct plan *plan, unsigned us,
		     unsigned slot);
