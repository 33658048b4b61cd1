/* SPDX-License-Identifier: GPL-2.0-only */
/* Marks of IPv6 addresses that only the kernel sets. */
#pragma once

struct net_fill;
struct net_given;
struct net_tables;
struct net_view;

/* Names the addresses whose marks will be lost as a loss; not those of given devices. */
void net_address_marks_report(struct net_view *view, const struct net_given *given);
/*
 * Lets the kernel make those link-local addresses again that it has made out of a secret: with the same secret they
 * are the same. The devices run, have their settings, and make no addresses by themselves, neither now nor afterwards.
 */
int net_address_marks_restore(struct net_fill *fill, const struct net_tables *tables);
