/* SPDX-License-Identifier: GPL-2.0-only */
/* Restore: namespaces that the user gives in the place of those of the tree. */
#pragma once

#include <stdbool.h>

struct namespace;
struct opt_join_ns;
struct plan;
struct restore;

/* What --join-ns says; the namespaces of the images are known. */
int namespaces_join_given(const struct restore *r);
/* A step of the root: it enters one, by a descriptor that it has of us. */
void namespace_plan_join(const struct namespace *ns, struct plan *plan);
/* Whether it names criu's own user namespace. */
bool join_is_own_users(const struct opt_join_ns *option);
