/* SPDX-License-Identifier: GPL-2.0-only */
/* What a network namespace may have that is not saved. */
#pragma once

struct net_view;

/* Each is told as a loss. */
void net_not_saved_report(struct net_view *view);
