#!/bin/sh -e
# SPDX-License-Identifier: GPL-2.0-only
# An action script that gives the tree a veth to the bridge br0, beside what is there; it comes with the number that the file "number" says.
[ "$CRTOOLS_SCRIPT_ACTION" = setup-namespaces ] || exit 0
inside="nsenter --net=/proc/$CRTOOLS_INIT_PID/ns/net"
ip link add ve0 type veth peer name eth0 index "$(cat "$(dirname "$0")/number")"
ip link set eth0 netns "$CRTOOLS_INIT_PID"
ip link set ve0 master br0
ip link set ve0 up
$inside ip link set eth0 up
$inside ip addr add 10.77.0.2/24 dev eth0
$inside ip route add default via 10.77.0.1
