# SPDX-License-Identifier: GPL-2.0-only
"""What the tests of podman and docker share: an image, containers that count, and commands of the engine with this criu first in its path."""
import json
import os
import resource
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import pytest
from room import wait_until

COUNT = 'mkdir -p /dev/shm; echo kept > /dev/shm/kept; i=0; while :; do i=$((i+1)); echo $i; sleep 0.1; done'
APPLETS = ('sh', 'cp', 'rm', 'sleep', 'cat', 'mv', 'echo', 'hostname', 'date', 'nc', 'ls', 'ip', 'mount', 'sync', 'env', 'true', 'grep', 'dd', 'mkdir')


def need(*programs):
    """Skips the test where one of these is not installed."""
    for program in programs:
        if not shutil.which(program):
            pytest.skip(f'there is no {program}: tools/install-deps clients')


def limits():
    """What a container may have where criu's user has less than an engine's defaults."""
    hard = {name: resource.getrlimit(getattr(resource, f'RLIMIT_{name.upper()}'))[1] for name in ('nofile', 'nproc')}
    return [f'{name}={min(value, 4096) if value > 0 else 4096}' for name, value in hard.items()]


def talk(connection):
    """One line there, the same back."""
    text = f'{time.monotonic_ns()}\n'.encode()
    connection.sendall(text)
    assert connection.makefile('rb').readline() == text


class Engine:
    """All that it makes is gone afterwards."""
    program = None

    def __init__(self, criu):
        # Not below /dev/shm: overlay of tmpfs on tmpfs is not what people have.
        self.folder = Path(tempfile.mkdtemp(prefix=f'criu-{self.program}-', dir='/var/tmp'))
        (self.folder / 'bin').mkdir()
        (self.folder / 'bin/criu').symlink_to(criu)
        self.env = {**os.environ, 'PATH': f"{self.folder / 'bin'}:{os.environ.get('PATH', '/usr/sbin:/usr/bin:/sbin:/bin')}"}

    def command(self):
        """The engine's, up to its first word."""
        return [self.program]

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
        """Runs a command of the engine's. What it prints, or with check=False the code and what it printed."""
        with tempfile.TemporaryFile('w+') as output:
            code = subprocess.run([*self.command(), *map(str, words)], env=self.env, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                                  timeout=180, check=False).returncode
            output.seek(0)
            said = output.read()
        assert not check or code == 0, f'{self.program} {" ".join(map(str, words))}: {code}: {said}{self.logs()}'
        return said if check else (code, said)

    def logs(self):
        """The ends of criu's last logs."""
        paths = [*self.folder.glob('**/criu-*.log'), *self.folder.glob('**/dump.log'), *self.folder.glob('**/restore.log')]
        return ''.join(f'\n{path}:\n' + '\n'.join(path.read_text(errors='replace').splitlines()[-40:])
                       for path in sorted(paths, key=lambda path: path.stat().st_mtime)[-2:])

    def run(self, name, *options, script=COUNT):
        """Starts a container, or skips the test if the engine cannot run one here."""
        image = () if '--rootfs' in options else ('criu-test',)
        code, said = self.call('run', '-d', '--name', name, *options, *image, '/bin/sh', '-c', script, check=False)
        if code:
            pytest.skip(f'{self.program} cannot run this here: {said.strip()[-300:]}')
        self.wait_more(name, 2)

    def count(self, name):
        """The last number that it printed."""
        words = self.call('logs', '--tail', '1', name).split()
        return int(words[-1]) if words and words[-1].isdigit() else 0

    def wait_more(self, name, before):
        """It goes on from there."""
        wait_until(lambda: self.count(name) > before, 60,
                   lambda: f'{name} does not go on: {before}, {self.count(name)}: {self.call("ps", "-a")}{self.logs()}')

    def state(self, name):
        """What inspect says."""
        return json.loads(self.call('inspect', name))[0]

    def preflight(self, name, *options):
        """criu check --tree says that this container can go."""
        pid = self.state(name)['State']['Pid']
        if Path('/etc/criu/runc.conf').exists():
            options += ('--config', '/etc/criu/runc.conf')
        said = subprocess.run([self.folder / 'bin/criu', 'check', '--tree', str(pid), '--json', '-v0', *options], stdout=subprocess.PIPE,
                              check=False).stdout
        report = json.loads(said)
        assert report.get('container', report)['dump_should_succeed'], report

    def close(self):
        """Removes everything."""
        for line in reversed(Path('/proc/self/mounts').read_text().splitlines()):
            if str(self.folder) in line.split()[1]:
                subprocess.run(['umount', '-l', line.split()[1]], check=False)
        shutil.rmtree(self.folder, ignore_errors=True)

    def exec_twice(self, name):
        """What was put into it by exec goes on with it, twice, also what writes to the engine; a terminal is hung up."""
        daemon = 'i=0; while :; do i=$((i+1)); echo $i > /dev/shm/{0}.new; mv /dev/shm/{0}.new /dev/shm/{0}; {1} sleep 0.1; done'

        def counts():
            return [int(self.call('exec', name, '/bin/cat', f'/dev/shm/{daemon}')) for daemon in ('quiet', 'loud')]

        def await_more(low):
            wait_until(lambda: all(new > old + 2 for new, old in zip(counts(), low)), 60, 'they do not count')
        for words in (('quiet', ''), ('loud', 'echo said;')):
            self.call('exec', '-d', name, '/bin/sh', '-c', daemon.format(*words))
        wait_until(lambda: self.call('exec', name, '/bin/cat', '/dev/shm/quiet', '/dev/shm/loud', check=False)[0] == 0, 60, 'they do not start')
        self.call('exec', '-d', '-t', name, '/bin/sh', '-c', 'trap "echo hup >> /dev/shm/told; exit" HUP; echo yes > /dev/shm/there; while :; do sleep 0.1; done')
        wait_until(lambda: self.call('exec', name, '/bin/cat', '/dev/shm/there', check=False)[0] == 0, 60, 'it does not start')
        await_more([0, 0])
        low = counts()
        self.twice(name)
        await_more(low)
        assert all(new < old + 100000 for new, old in zip(counts(), low))
        assert self.call('exec', name, '/bin/cat', '/dev/shm/told').split() == ['hup']
