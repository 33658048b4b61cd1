# SPDX-License-Identifier: GPL-2.0-only
# In a privileged container: a podman of its own with one container, which counts into /img/n.
mount -t tmpfs own /var/lib
mount -t tmpfs own /run
mkdir -p /run/lock /dev/shm
podman --root /var/lib/c --runroot /run/c --tmpdir /run/t --storage-driver vfs --cgroup-manager cgroupfs \
	run -d --name inner --network none --rootfs /img \
	/bin/sh -c 'i=0; while :; do i=$((i+1)); echo $i > /new; mv /new /n; sleep 0.1; done' || exit 1
echo kept > /dev/shm/kept
i=0
while :; do
	i=$((i+1))
	echo $i
	sleep 0.1
done
