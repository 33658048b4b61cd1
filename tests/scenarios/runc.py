# SPDX-License-Identifier: GPL-2.0-only
"""Containers of runc: a root of busybox, and namespaces, mounts and cgroups as runc makes them."""
import json
import os
import re
import select
import shutil
import socket
import subprocess
import time
from pathlib import Path

import pytest
from room import wait_until

LOOP = 'echo kept > /dev/shm/kept; i=0; while :; do i=$((i+1)); echo $i > /count.new; mv /count.new /count; sleep 0.1; done'
NAMESPACES = ('pid', 'net', 'ipc', 'uts', 'mnt')


class Containers:
    """runc with a state of its own, and a bundle."""

    def __init__(self, folder, criu, propagation):
        self.folder, self.names = folder, set()
        # runc lives in a mount namespace for all of the test; the outer one keeps the masters.
        self.holder = subprocess.Popen(['unshare', '-m', '--propagation', 'shared', 'sh', '-c',
                                        f'unshare -m --propagation {propagation} sh -c "echo \\$\\$; exec cat"; true'],
                                       stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.enter = ['nsenter', f'--mount=/proc/{self.holder.stdout.readline().strip()}/ns/mnt', '--']
        self.bundle = folder / 'bundle'
        self.env = {**os.environ, 'PATH': f"{folder / 'bin'}:{os.environ.get('PATH', '/usr/sbin:/usr/bin:/sbin:/bin')}"}
        (folder / 'bin').mkdir()
        (folder / 'bin/criu').symlink_to(criu)
        for name in ('bin', 'proc', 'dev', 'sys', 'etc', 'tmp'):
            (self.bundle / 'rootfs' / name).mkdir(parents=True)
        shutil.copy(shutil.which('busybox'), self.bundle / 'rootfs/bin/busybox')
        for name in ('sh', 'sleep', 'cat', 'mv', 'echo', 'hostname', 'mkdir', 'mount', 'umount', 'chown'):
            (self.bundle / 'rootfs/bin' / name).symlink_to('busybox')
        self.call('spec', '--bundle', self.bundle)
        config = json.loads((self.bundle / 'config.json').read_text())
        config['process'].update(terminal=False, args=['/bin/sh', '-c', LOOP])
        config['root']['readonly'] = False
        (self.bundle / 'config.json').write_text(json.dumps(config))

    def call(self, *words, check=True):
        """Runs runc; its output goes to a file of that namespace, which a container may keep open."""
        output = self.folder / f'output-{time.monotonic_ns()}'
        command = [*self.enter, 'sh', '-c', 'exec runc "$@" </dev/null >"$0" 2>&1', output, '--root', self.folder / 'state', *map(str, words)]
        code = subprocess.run(command, env=self.env, timeout=120, check=False).returncode
        said = output.read_text()
        assert not check or code == 0, f'runc {" ".join(map(str, words))}: {code}: {said}{self.logs()}'
        return said if check else (code, said)

    def logs(self):
        """The ends of criu's logs."""
        return ''.join(f'\n{path}:\n' + '\n'.join(path.read_text(errors='replace').splitlines()[-60:])
                       for path in sorted(self.folder.glob('images*/*.log')))

    def name(self, number=1):
        """Of a container, different for each test process."""
        name = f'criu-test-{os.getpid()}-{number}'
        self.names.add(name)
        return name

    def configure(self, change):
        """Changes the configuration before it runs."""
        path = self.bundle / 'config.json'
        config = json.loads(path.read_text())
        change(config)
        path.write_text(json.dumps(config))

    def run(self, name, *options):
        """Starts one, or skips the test if that is impossible here."""
        code, said = self.call('run', '-d', *options, '--bundle', self.bundle, name, check=False)
        if code:
            pytest.skip(f'runc cannot run a container here: {said.strip()}')
        wait_until(lambda: self.count() > 2, 60, 'the container does not start')

    def state(self, name):
        """What runc says of it."""
        return json.loads(self.call('state', name))

    def is_gone(self, name):
        """Whether runc knows it no more."""
        return name not in self.call('list', '--quiet').split()

    def checkpoint(self, name, number, *options):
        """Returns the directory of the images."""
        images = self.folder / f'images{number}'
        images.mkdir()
        self.call('checkpoint', '--image-path', images, '--work-path', images, *options, name)
        return images

    def restore(self, name, images, *options):
        """Detached."""
        self.call('restore', '-d', *options, '--bundle', self.bundle, '--image-path', images, '--work-path', images, name)

    def count(self):
        """How far it has counted."""
        path = self.bundle / 'rootfs/count'
        return int(path.read_text() or 0) if path.exists() else 0

    def check_alive(self, name, before):
        """It goes on counting where it was, lives in namespaces of its own, and commands can be run in it."""
        state = self.state(name)
        assert state['status'] == 'running'
        wait_until(lambda: self.count() > before + 2, 60, lambda: f'it does not go on: {before}, {self.count()}')
        assert self.count() < before + 100000
        for kind in NAMESPACES:
            assert os.readlink(f"/proc/{state['pid']}/ns/{kind}") != os.readlink(f'/proc/self/ns/{kind}'), kind
        assert re.search(r'^NSpid:.*\t1$', Path(f"/proc/{state['pid']}/status").read_text(), re.M)
        assert self.call('exec', name, '/bin/cat', '/dev/shm/kept') == 'kept\n'
        assert self.call('exec', name, '/bin/hostname') == 'runc\n'
        for line in Path(f"/proc/{state['pid']}/cgroup").read_text().splitlines():
            assert line.endswith(f'/{name}') or line.split(':')[1] == '' or 'name=' in line, line

    def close(self):
        """Removes all containers."""
        for name in self.names:
            self.call('delete', '-f', name, check=False)
        self.holder.stdin.close()
        self.holder.stdout.close()
        self.holder.wait()


class Console:
    """The socket on which runc gives away the master of the terminal."""

    def __init__(self, folder):
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.path, self.master = folder / 'console.sock', -1
        self.listener.bind(str(self.path))
        self.listener.listen()

    def take(self):
        """Waits for the master."""
        self.close_master()
        self.listener.settimeout(60)
        with self.listener.accept()[0] as connection:
            self.master = socket.recv_fds(connection, 100, 1)[1][0]

    def await_text(self, wanted):
        """Reads until that has come."""
        text = b''
        while wanted not in text:
            assert select.select([self.master], [], [], 60)[0], text
            text += os.read(self.master, 1000)

    def close_master(self):
        """The program is hung up."""
        if self.master >= 0:
            os.close(self.master)

    def close(self):
        """Both."""
        self.close_master()
        self.listener.close()
