# SPDX-License-Identifier: GPL-2.0-only
# In a container that may do much, with the host's /usr: a docker of its own with a container that counts and answers on a published port.
mount -o remount,rw /sys
for place in /sys/fs/cgroup/*; do mount -o remount,rw,bind $place; done
mount -t tmpfs own /run
mkdir -p /run/lock /dev/shm
echo kept > /dev/shm/kept
dockerd > /var/log/dockerd.log 2>&1 &
while ! docker version > /dev/null 2>&1; do sleep 0.2; done
docker import /image.tar inner > /dev/null &&
	docker run -d --name inner -p 8080:80 inner sh -c 'nc -ll -p 80 -e cat & i=0; while :; do i=$((i+1)); echo $i > /n; sleep 0.1; done' || exit 1
i=0
while :; do
	i=$((i+1))
	echo $i
	sleep 0.1
done
