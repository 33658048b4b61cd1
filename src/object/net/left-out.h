/* SPDX-License-Identifier: GPL-2.0-only */
/* Network namespaces whose content is left to whoever restores: --empty-ns net. */
#pragma once

#include "object/net/link/link.h"
#include "object/net/space.h"

struct namespace;
struct options;

/*
 * Of the root's namespace; the calling thread is in it, and the view has its peers. Tells what is lost, if space->empty
 * or space->furnished is set.
 */
int net_left_out_collect(struct net_view *view, struct net_space *space);
/*
 * Of an image, when its devices are known: whether to leave out, too, and then only the loopback device stays; or
 * whether the tree's own devices are there, beside what somebody else furnishes.
 */
void net_left_out_load(const struct options *options, const struct namespace *ns, struct net_space *space);
