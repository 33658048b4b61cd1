/* SPDX-License-Identifier: GPL-2.0-only */
/* Queueing disciplines (tc(8)), with their classes and filters, are not saved. */
#pragma once

struct net_devices;
struct net_view;

/* Tells of those that are lost. */
int net_qdiscs_report(struct net_view *view, const struct net_devices *devices);
