# SPDX-License-Identifier: GPL-2.0-only
"""crun, which links our libcriu, by itself and below podman: checkpointed and restored twice in a row."""
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from conftest import LIBC, CLONE_NEWNS
from podman import run_podman

OPTIONS = ['', '--network none', '--network host', '-t', '-i', '--read-only', '--tmpfs /x', '--user 1000', '--pid host', '--privileged', '--init',
           '--cgroupns host', '--mount type=tmpfs,dst=/t', '-v named:/n', '-v {folder}/image:/v', '-v {folder}/image:/v:O', '-v /dev:/host/dev',
           '-v /sys:/sys', '--uidmap 0:100000:65536 --network none', '--memory 100m', '--ipc container:other', '--network container:other',
           '--cgroups disabled --network host']


@pytest.fixture(scope='module')
def crun(build):
    """The path of one that can make checkpoints. It does not run on a mix of cgroups v1 and v2."""
    own = os.open('/proc/self/ns/mnt', os.O_RDONLY)
    path = build / 'crun/bin/crun'
    if not path.exists():
        path = Path(shutil.which('crun') or '/')
    if path == Path('/') or '+CRIU' not in subprocess.run([path, '--version'], stdout=subprocess.PIPE, text=True, check=True).stdout:
        pytest.skip('there is no crun that can make checkpoints: tests/clients/build-crun')
    LIBC.unshare(CLONE_NEWNS)
    if os.path.ismount('/sys/fs/cgroup/unified'):
        subprocess.run(['umount', '/sys/fs/cgroup/unified'], check=True)
    yield path
    LIBC.setns(own, CLONE_NEWNS)
    os.close(own)


@pytest.fixture(scope='module')
def engine(criu, crun):
    """A Podman with it."""
    yield from run_podman(criu, crun)


@pytest.mark.parametrize('options', OPTIONS)
def test_podman(podman, options):
    """podman run with this option."""
    if 'other' in options:
        podman.run('other')
    podman.run('one', *options.format(folder=podman.folder).split())
    podman.twice('one')


def test_exec(podman):
    """What `podman exec` started is part of the container; crun gives it no session of its own."""
    podman.run('one')
    podman.exec_twice('one')


def test_users_and_bridge(podman):
    """With users of its own on the default network."""
    podman.keep_bridge('one', Path('/etc/criu/default.conf'))


def test_whole_pod(podman):
    """All of a pod, in its place."""
    podman.whole_pod('net,ipc,uts')
