# SPDX-License-Identifier: GPL-2.0-only
"""A real container, checkpointed and restored by runc, which asks criu for it as it would ask any other: with namespaces of all its kinds."""
import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from room import wait_until

BUSYBOX = shutil.which('busybox')
COUNT = 'i=0; while :; do i=$((i+1)); echo $i > /tmp/next; mv /tmp/next /tmp/count; sleep 0.1; done'


class Container:
    """One container of runc in a folder of its own."""

    def __init__(self, folder, criu):
        self.folder, self.name = folder, f'criu-test-{os.getpid()}'
        programs = folder / 'bin'
        programs.mkdir()
        (programs / 'criu').symlink_to(criu)
        self.env = {**os.environ, 'PATH': f'{programs}:{os.environ["PATH"]}'}
        root = folder / 'rootfs'
        for name in ('bin', 'dev', 'proc', 'sys', 'tmp'):
            (root / name).mkdir(parents=True)
        shutil.copy(BUSYBOX, root / 'bin/busybox')
        for name in ('sh', 'sleep', 'mv', 'cat', 'hostname'):
            (root / 'bin' / name).symlink_to('busybox')
        subprocess.run(['runc', 'spec'], cwd=folder, check=True)
        config = json.loads((folder / 'config.json').read_text())
        config['process'].update(terminal=False, args=['sh', '-c', COUNT])
        config['root']['readonly'] = False
        config['hostname'] = 'counter'
        (folder / 'config.json').write_text(json.dumps(config))

    def runc(self, *words):
        """Runs runc; returns the CompletedProcess. Its output goes to a file: the container inherits it."""
        with open(self.folder / 'said', 'w+', encoding='utf-8') as said:
            done = subprocess.run(['runc', '--root', self.folder / 'state', *words], cwd=self.folder, env=self.env, stdin=subprocess.DEVNULL,
                                  stdout=said, stderr=subprocess.STDOUT, timeout=100, check=False)
        done.said = (self.folder / 'said').read_text()
        return done

    def must(self, *words):
        """The same, and it must succeed; returns what it said."""
        done = self.runc(*words)
        logs = [path.read_text(errors='replace')[-3000:] for path in self.folder.glob('*/*.log')] if done.returncode else []
        assert done.returncode == 0, f'runc {" ".join(map(str, words))}: {done.returncode}: {done.said}\n' + '\n'.join(logs)
        return done.said

    def count(self):
        """How far it has counted."""
        path = self.folder / 'rootfs/tmp/count'
        return int(path.read_text()) if path.exists() else 0

    def counts_on(self):
        """It must get further; returns how far it is."""
        before = self.count()
        wait_until(lambda: self.count() > before, 30, f'it does not count on from {before}: {self.runc("list").said}')
        return self.count()


@pytest.fixture
def container(criu):
    """A container that runs and counts."""
    if not shutil.which('runc') or not BUSYBOX:
        pytest.skip('there is no runc, or no busybox')
    folder = Path(tempfile.mkdtemp(prefix='criu-container-'))
    made = Container(folder, criu)
    done = made.runc('run', '-d', made.name)
    if done.returncode:
        shutil.rmtree(folder)
        pytest.skip(f'runc can make no container here: {done.said}')
    yield made
    made.runc('delete', '--force', made.name)
    shutil.rmtree(folder, ignore_errors=True)


def test_again_and_again(container):
    """Left running, then checkpointed and restored twice; it counts on each time, in the namespaces that it had."""
    reached = container.counts_on()
    container.must('checkpoint', '--leave-running', '--image-path', container.folder / 'left', container.name)
    assert container.counts_on() > reached
    for number in (1, 2):
        images = container.folder / f'images{number}'
        container.must('checkpoint', '--image-path', images, container.name)
        reached = container.count()
        container.must('restore', '-d', '--image-path', images, container.name)
        assert container.counts_on() > reached
        pid = json.loads(container.must('state', container.name))['pid']
        status = Path(f'/proc/{pid}/status').read_text()
        assert status.split('NSpid:')[1].split('\n')[0].split()[-1] == '1', status
        for kind in ('pid', 'mnt', 'net', 'ipc', 'uts'):
            assert os.readlink(f'/proc/{pid}/ns/{kind}') != os.readlink(f'/proc/self/ns/{kind}'), kind
        assert container.must('exec', container.name, 'hostname') == 'counter\n'
