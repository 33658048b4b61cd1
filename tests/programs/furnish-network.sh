#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# An action script that gives the tree a veth to the bridge br0, at setup-namespaces; notes its calls beside it, in "calls" and "setup".
folder=$(dirname "$0")
echo "$CRTOOLS_SCRIPT_ACTION" >> "$folder/calls"
[ "$CRTOOLS_SCRIPT_ACTION" = setup-namespaces ] || exit 0
exec >> "$folder/setup" 2>&1
set -e
ip link add ve0 type veth peer name eth0
ip link set eth0 netns "$CRTOOLS_INIT_PID"
ip link set ve0 master br0
ip link set ve0 up
exec nsenter --net="/proc/$CRTOOLS_INIT_PID/ns/net" sh -ec 'test $(ip -o link | wc -l) = 2
ip link set lo up; ip link set eth0 up; ip addr add 10.77.0.2/24 dev eth0'
