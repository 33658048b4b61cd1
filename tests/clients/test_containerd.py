# SPDX-License-Identifier: GPL-2.0-only
"""Containers of containerd (ctr): checkpointed while they run, removed, restored from the checkpoint's image."""
import os
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

import pytest
from engine import need, talk
from podman import Podman
from room import wait_until

COUNT = 'i=0; while :; do i=$((i+1)); echo $i > /new; mv /new /count; sleep 0.1; done'
CONFIG = 'version = 2\nroot = "{0}/root"\nstate = "{0}/state"\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n[grpc]\n  address = "{0}/socket"\n'


class Containerd:
    """A daemon of our own, with an image of busybox in it."""

    def __init__(self, criu):
        self.podman = Podman(criu)      # makes the image
        self.folder = Path(tempfile.mkdtemp(prefix='criu-ctr-', dir='/var/tmp'))
        (self.folder / 'config.toml').write_text(CONFIG.format(self.folder))
        with (self.folder / 'log').open('w') as log:
            self.daemon = subprocess.Popen(['containerd', '-c', self.folder / 'config.toml'], env=self.podman.env, stdin=subprocess.DEVNULL,
                                           stdout=log, stderr=log)
        wait_until(lambda: self.call('version', check=False)[0] == 0, 60, 'containerd does not answer')
        self.podman.call('save', '--format', 'oci-archive', '-o', self.folder / 'image.tar', 'criu-test')
        self.call('images', 'import', self.folder / 'image.tar')
        self.image = self.call('images', 'ls', '-q').split()[0]

    def call(self, *words, check=True):
        """Runs ctr."""
        with tempfile.TemporaryFile('w+') as output:
            code = subprocess.run(['ctr', '-a', self.folder / 'socket', *map(str, words)], stdin=subprocess.DEVNULL, stdout=output,
                                  stderr=output, env=self.podman.env, timeout=120, check=False).returncode
            output.seek(0)
            said = output.read()
        assert not check or code == 0, f'ctr {" ".join(map(str, words))}: {code}: {said}{(self.folder / "log").read_text()[-3000:]}'
        return said if check else (code, said)

    def count(self, name):
        """How far it has counted."""
        code, said = self.call('task', 'exec', '--exec-id', f'e{os.urandom(4).hex()}', name, '/bin/cat', '/count', check=False)
        return int(said) if code == 0 and said.strip().isdigit() else 0

    def remove(self, name):
        """Kills and forgets it."""
        self.call('task', 'kill', '-s', 'KILL', name, check=False)
        wait_until(lambda: self.call('task', 'rm', name, check=False)[0] == 0 or name not in self.call('task', 'ls'), 60, 'it does not die')
        self.call('containers', 'rm', name)

    def close(self):
        """Ends all of it."""
        for name in self.call('task', 'ls', '-q').split():
            self.remove(name)
        self.daemon.terminate()
        self.daemon.wait(60)
        self.podman.close()
        for line in reversed(Path('/proc/self/mounts').read_text().splitlines()):
            if str(self.folder) in line.split()[1]:
                subprocess.run(['umount', '-l', line.split()[1]], check=False)
        shutil.rmtree(self.folder, ignore_errors=True)


@pytest.fixture
def containerd(criu):
    """A Containerd."""
    need('containerd', 'ctr', 'runc', 'podman', 'busybox')
    made = Containerd(criu)
    yield made
    made.close()


def test_removed_and_restored(containerd):
    """
    ctr containers checkpoint --rw --image --task, remove, restore --rw --live; twice. Containerd leaves the task out of a checkpoint as long as its
    store has that container's configuration from another one ("already exists", which ctr does not tell): so that is removed.
    """
    code, said = containerd.call('run', '-d', containerd.image, 'one', '/bin/sh', '-c', COUNT, check=False)
    if code:
        pytest.skip(f'containerd cannot run a container here: {said.strip()}')
    wait_until(lambda: containerd.count('one') > 2, 60, 'it does not start')
    for _ in range(2):
        containerd.call('containers', 'checkpoint', '--rw', '--image', '--task', 'one', 'checkpoint')
        before = containerd.count('one')
        wait_until(lambda: containerd.count('one') > before, 60, 'it does not run on')
        containerd.remove('one')
        containerd.call('containers', 'restore', '--rw', '--live', 'one', 'checkpoint')
        wait_until(lambda: containerd.count('one') > before, 60, 'it does not go on')
        assert containerd.count('one') < before + 10000
        containerd.call('images', 'rm', '--sync', 'checkpoint')


def test_given_network(containerd):
    """ctr run --with-ns network:PATH: it comes back into that one, where a client talks to it."""
    commands = 'ip netns add criu-ctr; ip link add v0 type veth peer name v1 netns criu-ctr; ip link set v0 up; ip addr add 10.99.0.1/24 dev v0; ' \
               'ip -n criu-ctr link set lo up; ip -n criu-ctr link set v1 up; ip -n criu-ctr addr add 10.99.0.2/24 dev v1'
    if subprocess.run(['sh', '-ec', commands], check=False).returncode:
        pytest.skip('there are no veth devices here')
    try:
        code, said = containerd.call('run', '-d', '--with-ns', 'network:/run/netns/criu-ctr', containerd.image, 'one', '/bin/sh', '-c',
                                     'while :; do nc -l -p 7777 -e cat; done & ' + COUNT, check=False)
        if code:
            pytest.skip(f'containerd cannot run a container here: {said.strip()}')
        wait_until(lambda: containerd.count('one') > 2, 60, 'it does not start')
        containerd.call('containers', 'checkpoint', '--rw', '--image', '--task', 'one', 'checkpoint')
        before = containerd.count('one')
        containerd.remove('one')
        containerd.call('containers', 'restore', '--rw', '--live', 'one', 'checkpoint')
        wait_until(lambda: containerd.count('one') > before, 60, 'it does not go on')
        with socket.create_connection(('10.99.0.2', 7777), timeout=60) as connection:
            talk(connection)
    finally:
        subprocess.run(['ip', 'netns', 'del', 'criu-ctr'], check=False)
