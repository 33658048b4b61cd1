#!/bin/sh -e
# SPDX-License-Identifier: GPL-2.0-only
# An action script of criu migrate on both sides: the IPv4 address $VIP of the device $DEVICE goes with the program.
case $CRTOOLS_SCRIPT_ACTION in
pre-arrival)	# sockets need it, but nobody else shall know yet
	echo 8 > /proc/sys/net/ipv4/conf/$DEVICE/arp_ignore
	ip addr add $VIP/32 dev $DEVICE
	;;
pre-resume)	# the program comes here: now all the neighbours shall know
	echo 0 > /proc/sys/net/ipv4/conf/$DEVICE/arp_ignore
	/usr/bin/python3 "$(dirname "$0")/announce-address.py" $VIP $DEVICE &
	;;
post-migrate)	# it has gone
	ip addr del $VIP/32 dev $DEVICE
	;;
arrival-failed)
	ip addr del $VIP/32 dev $DEVICE
	echo 0 > /proc/sys/net/ipv4/conf/$DEVICE/arp_ignore
	;;
esac
