#!/bin/sh -e
# SPDX-License-Identifier: GPL-2.0-only
# An action script of criu migrate on both sides: the IPv4 address $VIP of the device $DEVICE goes with the program.
settings=/proc/sys/net/ipv4/conf/$DEVICE
case $CRTOOLS_SCRIPT_ACTION in
pre-arrival)	# sockets need it, but nobody else shall know yet
	echo 8 > $settings/arp_ignore
	ip addr add $VIP/32 dev $DEVICE
	;;
pre-resume)	# the program comes here: now all the neighbours shall know, which costs it as little time as can be
	echo 0 > $settings/arp_ignore
	echo 1 > $settings/arp_notify
	set -- $(ip -br link show dev $DEVICE)
	ip link set dev $DEVICE address $3	# its own: the kernel announces all addresses
	;;
post-migrate)	# it has gone
	ip addr del $VIP/32 dev $DEVICE
	;;
arrival-failed)
	ip addr del $VIP/32 dev $DEVICE
	echo 0 > $settings/arp_ignore
	;;
esac
