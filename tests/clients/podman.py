# SPDX-License-Identifier: GPL-2.0-only
"""podman with an image, a storage and limits of its own, and this criu first in its path."""
import json
import os
import resource
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from room import wait_until

COUNT = 'echo kept > /dev/shm/kept; i=0; while :; do i=$((i+1)); echo $i; sleep 0.1; done'
APPLETS = ('sh', 'cp', 'rm', 'sleep', 'cat', 'mv', 'echo', 'hostname', 'date', 'nc', 'ls', 'ip', 'mount', 'sync')


def limits():
    """What a container may have where criu's user has less than podman's defaults."""
    hard = {name: resource.getrlimit(getattr(resource, f'RLIMIT_{name.upper()}'))[1] for name in ('nofile', 'nproc')}
    return [f'{name}={min(value, 4096) if value > 0 else 4096}' for name, value in hard.items()]


class Podman:
    """One test's podman: all that it makes is gone afterwards."""

    def __init__(self, criu):
        # Not below /dev/shm: overlay of tmpfs on tmpfs is not what people have.
        self.folder = Path(tempfile.mkdtemp(prefix='criu-podman-', dir='/var/tmp'))
        (self.folder / 'bin').mkdir()
        (self.folder / 'bin/criu').symlink_to(criu)
        settings = self.folder / 'containers.conf'
        settings.write_text(f'[containers]\ndefault_ulimits = {json.dumps(limits())}\n[engine]\nruntime = "runc"\nlock_type = "file"\n')
        self.env = {**os.environ, 'CONTAINERS_CONF': str(settings),
                    'PATH': f"{self.folder / 'bin'}:{os.environ.get('PATH', '/usr/sbin:/usr/bin:/sbin:/bin')}"}
        self.make_image()

    def make_image(self):
        """A root of busybox, imported."""
        root = self.folder / 'image'
        for name in ('bin', 'proc', 'dev', 'sys', 'etc', 'tmp', 'run', 'var'):
            (root / name).mkdir(parents=True)
        shutil.copy(shutil.which('busybox'), root / 'bin/busybox')
        for name in APPLETS:
            (root / 'bin' / name).symlink_to('busybox')
        (root / 'var/run').symlink_to('/run')
        (root / 'etc/passwd').write_text('root:x:0:0::/:/bin/sh\nuser:x:1000:1000::/:/bin/sh\n')
        (root / 'etc/group').write_text('root:x:0:\n')
        subprocess.run(['tar', '-C', root, '-cf', self.folder / 'image.tar', '.'], check=True)
        self.call('import', self.folder / 'image.tar', 'criu-test')

    def call(self, *words, check=True):
        """Runs podman. What it prints, or with check=False the code and what it printed."""
        output = tempfile.TemporaryFile('w+')       # pylint: disable=consider-using-with
        command = ['podman', '--root', self.folder / 'storage', '--runroot', self.folder / 'run', '--tmpdir', self.folder / 'tmp',
                   '--cgroup-manager', 'cgroupfs', *map(str, words)]
        code = subprocess.run(command, env=self.env, stdin=subprocess.DEVNULL, stdout=output, stderr=output, timeout=180,
                              check=False).returncode
        output.seek(0)
        said = output.read()
        assert not check or code == 0, f'podman {" ".join(map(str, words))}: {code}: {said}{self.logs()}'
        return said if check else (code, said)

    def logs(self):
        """The ends of criu's logs."""
        return ''.join(f'\n{path}:\n' + '\n'.join(path.read_text(errors='replace').splitlines()[-40:])
                       for path in sorted(self.folder.glob('storage/**/userdata/*.log')) if path.name in ('dump.log', 'restore.log'))

    def run(self, name, *options, script=COUNT):
        """Starts a container, or skips the test if podman can't run one here."""
        code, said = self.call('run', '-d', '--name', name, *options, 'criu-test', '/bin/sh', '-c', script, check=False)
        if code:
            pytest.skip(f'podman cannot run this here: {said.strip()[-300:]}')
        self.wait_more(name, 2)

    def count(self, name):
        """The last number that it printed."""
        words = self.call('logs', name).split()
        return int(words[-1]) if words and words[-1].isdigit() else 0

    def wait_more(self, name, before):
        """It goes on from there."""
        wait_until(lambda: self.count(name) > before, 60,
                   lambda: f'{name} does not go on: {before}, {self.count(name)}: {self.call("ps", "-a")}{self.logs()}')

    def twice(self, name, *options):
        """Checkpointed and restored, and again; a command runs in it."""
        for _ in range(2):
            self.call('container', 'checkpoint', *options, name)
            before = self.count(name)
            self.call('container', 'restore', *options, name)
            self.wait_more(name, before)
            assert self.count(name) < before + 10000
        assert self.call('exec', name, '/bin/cat', '/dev/shm/kept').strip() == 'kept'

    def state(self, name):
        """What inspect says."""
        return json.loads(self.call('inspect', name))[0]

    def close(self):
        """Removes everything."""
        self.call('rm', '-fa', '-t', '0', check=False)
        self.call('pod', 'rm', '-fa', '-t', '0', check=False)
        self.call('volume', 'rm', '-fa', check=False)
        self.call('network', 'prune', '-f', check=False)
        for line in reversed(Path('/proc/self/mounts').read_text().splitlines()):
            if str(self.folder) in line.split()[1]:
                subprocess.run(['umount', '-l', line.split()[1]], check=False)
        shutil.rmtree(self.folder, ignore_errors=True)
