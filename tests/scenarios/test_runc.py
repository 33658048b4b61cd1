# SPDX-License-Identifier: GPL-2.0-only
"""Containers of runc, checkpointed and restored by runc with this criu."""
import os
import re
import select
import shutil
import socket
from pathlib import Path

import pytest
from runc import Console, Containers

# systemd makes "/" shared, and runc makes slaves of it.
pytestmark = pytest.mark.parametrize('propagation', ('shared', 'slave', 'private'))


@pytest.fixture
def containers(criu, folder, propagation):
    """A Containers."""
    if not shutil.which('runc') or not shutil.which('busybox'):
        pytest.skip('there is no runc, or no busybox')
    made = Containers(folder, criu, propagation)
    yield made
    made.close()


def test_twice(containers):
    """Left running, then checkpoint, restore, and again; nothing is left of the cgroups after all."""
    name = containers.name()
    containers.run(name)
    before = containers.count()
    containers.checkpoint(name, 0, '--leave-running')
    containers.check_alive(name, before)
    for number in (1, 2):
        images = containers.checkpoint(name, number)
        assert containers.is_gone(name)
        before = containers.count()
        containers.restore(name, images)
        containers.check_alive(name, before)
    containers.call('delete', '-f', name)
    assert not [*Path('/sys/fs/cgroup').glob(f'**/{name}')]


def test_user_namespace(containers):
    """With users of its own, of several ranges: what it owned before it owns afterwards, and it is root there, not here."""
    ranges = [{'containerID': 0, 'hostID': 200000, 'size': 1000}, {'containerID': 1000, 'hostID': 301000, 'size': 64536}]

    def change(config):
        config['linux']['namespaces'].append({'type': 'user'})
        config['linux'].update(uidMappings=ranges, gidMappings=ranges)
        for held in config['process']['capabilities'].values():
            held += ['CAP_CHOWN', 'CAP_SYS_ADMIN']
    containers.configure(change)
    for path in (containers.bundle / 'rootfs', *(containers.bundle / 'rootfs').rglob('*')):
        os.lchown(path, 200000, 200000)
    for path in (containers.folder, containers.bundle):
        path.chmod(0o755)
    name = containers.name()
    containers.run(name)
    containers.call('exec', name, '/bin/sh', '-c', 'echo 1 > /dev/shm/of-1000; chown 1000:7 /dev/shm/of-1000')
    for number in (1, 2):
        images = containers.checkpoint(name, number)
        assert containers.is_gone(name)
        before = containers.count()
        containers.restore(name, images)
        containers.check_alive(name, before)
        proc = Path(f"/proc/{containers.state(name)['pid']}")
        assert (proc / 'uid_map').read_text().split() == ['0', '200000', '1000', '1000', '301000', '64536']
        assert os.stat(proc / 'root/dev/shm/of-1000').st_uid == 301000
        assert os.stat(proc / 'root/dev/shm/of-1000').st_gid == 200007
        assert re.search(r'^Uid:\t200000\t200000', (proc / 'status').read_text(), re.M)
        assert containers.call('exec', name, '/bin/sh', '-c', 'mkdir -p /dev/shm/m && mount -t tmpfs m /dev/shm/m && umount /dev/shm/m && echo owner') == 'owner\n'


def cgroup_roots(containers, name):
    """Which cgroup each file system of cgroups shows in a container."""
    lines = Path(f"/proc/{containers.state(name)['pid']}/mountinfo").read_text().splitlines()
    return {line.split()[4]: line.split()[3] for line in lines if line.split(' - ')[1].startswith('cgroup')}


def test_cgroups_in_sight(containers):
    """Where runc binds the container's own cgroups (version 1), it sees these afterwards, too, not those of the machine; by another name the new ones."""
    def change(config):
        config['mounts'].append({'destination': '/sys/fs/cgroup', 'type': 'cgroup', 'source': 'cgroup', 'options': ['nosuid', 'ro']})
        config['linux']['namespaces'] = [entry for entry in config['linux']['namespaces'] if entry['type'] != 'cgroup']
    containers.configure(change)
    first, second = containers.name(1), containers.name(2)
    containers.run(first)
    before = cgroup_roots(containers, first)
    if not any(root.endswith(first) for root in before.values()):
        pytest.skip('runc binds no cgroups here')
    images = containers.checkpoint(first, 1)
    containers.restore(first, images)
    assert cgroup_roots(containers, first) == before
    images = containers.checkpoint(first, 2)
    containers.restore(second, images)
    assert cgroup_roots(containers, second) == {point: root.replace(first, second) for point, root in before.items()}


def test_other_name(containers):
    """A restored container has another name, and so have its cgroups."""
    first, second = containers.name(1), containers.name(2)
    containers.run(first)
    images = containers.checkpoint(first, 1)
    before = containers.count()
    containers.restore(second, images)
    containers.check_alive(second, before)
    assert containers.is_gone(first)


def test_paused(containers):
    """One that is paused can be saved."""
    name = containers.name()
    containers.run(name)
    containers.call('pause', name)
    before = containers.count()
    images = containers.checkpoint(name, 1)
    containers.restore(name, images)
    if containers.state(name)['status'] == 'paused':
        containers.call('resume', name)
    containers.check_alive(name, before)


def test_terminal(containers, folder):
    """`terminal: true`, as `podman run -t`: a pty of the container's own is mounted upon /dev/console. It goes on speaking to its client."""
    def change(config):
        config['process'].update(terminal=True, args=['/bin/sh', '-c', 'echo > /dev/shm/kept; echo 9 > /count; while read word; do echo "got $word" > /dev/console; done'])
    console = Console(folder)
    name = containers.name()
    containers.configure(change)
    containers.run(name, '--console-socket', console.path)
    console.take()
    for number in (1, 2):
        images = containers.checkpoint(name, number)
        containers.restore(name, images, '--console-socket', console.path)
        console.take()
        os.write(console.master, b'hello\n')
        console.await_text(b'got hello')
        there = Path(f"/proc/{containers.state(name)['pid']}/root/dev")
        assert (there / 'console').stat().st_ino == (there / 'pts/0').stat().st_ino
    console.close()
