/* SPDX-License-Identifier: GPL-2.0-only */
/* Network namespaces whose content is left to whoever restores: --empty-ns net. */
#pragma once

#include "object/net/link.h"
#include "object/net/space.h"

struct options;

/* The calling thread is in the namespace. Tells what is lost, if space->empty is set. */
int net_left_out_collect(struct net_view *view, struct net_space *space);
/* Of an image, when its devices are known: whether to leave out, too, and then only the loopback device stays. */
void net_left_out_load(const struct options *options, struct net_space *space);
