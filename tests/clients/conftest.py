# SPDX-License-Identifier: GPL-2.0-only
"""Engines set up bridges, firewalls and mounts: the tests of clients do so in namespaces of their own, and the machine keeps its own."""
import ctypes
import os
import subprocess

import pytest

LIBC = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNS, CLONE_NEWNET = 0x00020000, 0x40000000
# As after boot: "/" is shared, nobody has used /run; what is written to /etc stays here. But runc 1.1 binds each volume for a moment when it
# restores (with any criu) and detaches it with all below; what is shared goes from the machine as well. /sys and /dev are not.
FURNISH = 'ip link set lo up; mount -t tmpfs run /run; mkdir -p /run/lock; mount -t tmpfs shm /dev/shm; ' \
          'mkdir -p /var/lib/cni; mount -t tmpfs cni /var/lib/cni; ' \
          'mkdir -p /run/etc/upper /run/etc/work; mount -t overlay etc -o lowerdir=/etc,upperdir=/run/etc/upper,workdir=/run/etc/work /etc; ' \
          'for kind in uid gid; do echo containers:100000:1000000 >> /etc/sub$kind; done; ' \
          'mount --make-rshared /; mount --make-rprivate /sys; mount --make-rprivate /dev'


@pytest.fixture(scope='session', autouse=True)
def apart():
    """All of this test process, with the engines that it starts, leaves the mounts and the network of the machine."""
    if LIBC.unshare(CLONE_NEWNS | CLONE_NEWNET):
        pytest.skip(f'engines need root: unshare: {os.strerror(ctypes.get_errno())}')
    subprocess.run(['mount', '--make-rprivate', '/'], check=True)
    subprocess.run(['sh', '-ec', FURNISH], check=True)


@pytest.fixture
def podman(engine):
    """A Podman without containers, made by the fixture "engine" of the module."""
    yield engine
    engine.clear()
