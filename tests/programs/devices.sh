#!/bin/sh -e
# SPDX-License-Identifier: GPL-2.0-only
# A /dev of its own for a room, with a /dev/nvidia0 that takes whatever is written to it. usage: devices.sh
mkdir -p /run/new-dev
mount -t tmpfs -o mode=755 dev /run/new-dev
cp -a /dev/null /dev/zero /dev/full /dev/random /dev/urandom /dev/tty /run/new-dev/
mknod /run/new-dev/nvidia0 c 1 3
mkdir /run/new-dev/pts /run/new-dev/shm
ln -s /proc/self/fd /run/new-dev/fd
mount --rbind /dev/pts /run/new-dev/pts
mount --rbind /dev/shm /run/new-dev/shm
mount --move /run/new-dev /dev
