# SPDX-License-Identifier: GPL-2.0-only
"""
criu check --tree of a container says what the engine's checkpoint then finds: whether it can go, and if not, why. The first error of the
log names the object and the way out in the words of the engine, and the container runs on.
"""
import json
import re
import shutil
import socket
import subprocess
from pathlib import Path

import pytest
from docker import Docker
from engine import need
from podman import Podman
from room import PROGRAMS, wait_until
from test_containerd import Containerd
from test_crun import crun as crun_program  # a fixture

ADDRESS = '10.250.0.1'      # of those outside
TIMES = 'established TCP connection .*--tcp-established'

# What the container holds (hold-obstacle.py): why it cannot go, None if it can.
KINDS = {
    'nothing': None, 'pipes-and-events': None, 'unix-pair': None, 'listener': None, 'udp-connected': None, 'raw-and-packet': None,
    'terminal-of-its-own': None, 'small-deleted': None, 'small-deleted-in-volume': None, 'threads-and-children': None, 'fifo-inside': None,
    'shared-memory': None, 'timers': None, 'null-devices': None, 'directory-of-volume': None, 'inotify': None, 'mounted-tmpfs': None,
    'outer-lock': None, 'fifo-outside': None, 'received-outside': None, 'packet-ring': None, 'uring': None, 'uring-polled-for': None,
    'message-queue-notice': None, 'pidfd-outside': None, 'userfault-in-memory': None, 'detached-mount': None, 'network-namespace': None,
    'pid-namespace': None, 'user-namespace': None, 'time-namespace': None, 'fuse-mounted-nowhere': None,
    'connection-inside': TIMES, 'connection-outside': TIMES, 'connection-to-outside': TIMES, 'backlog': 'port 7777.*--tcp-established',
    'half-made': 'port 7777.*--tcp-established', 'urgent': TIMES,
    'lock': '/tmp/lock.*--file-locks', 'lock-in-volume': '/outside/own.*--file-locks', 'lease': '/tmp/leased.*--file-locks',
    'large-deleted': '/tmp/large .*--ghost-limit', 'linked-deleted': '/tmp/one .*--link-remap',
    'unix-outside': 'connected to .* outside of the tree.*--unix-peer', 'unix-datagram-outside': 'connected to .* outside of the tree.*--ext-unix-sk',
    'device': '/dev/loop-control', 'latency': '/dev/cpu_dma_latency', 'kvm': '/dev/kvm', 'vsock': 'AF_VSOCK', 'ktls': 'tls',
    'perf-counter': 'perf_event', 'secret-memory': 'memfd_secret', 'landlock': 'andlock', 'traced': 'is traced by', 'traced-outside': 'is traced by',
    'ebpf-program': 'bpf-prog', 'multipath': 'Multipath TCP', 'file-system-context': 'fscontext|cannot be saved', 'deadline': 'SCHED_DEADLINE',
}
FEW = ['nothing', 'mounted-tmpfs', 'connection-outside', 'lock', 'large-deleted', 'unix-outside', 'device', 'traced-outside', 'landlock']
DEVICES = {'device': '/dev/loop-control', 'latency': '/dev/cpu_dma_latency', 'kvm': '/dev/kvm', 'fuse-mounted-nowhere': '/dev/fuse'}
WORDS = {
    'podman': {'--tcp-established': 'podman container checkpoint --tcp-established', '--file-locks': 'podman container checkpoint --file-locks',
               '--ghost-limit': 'a line ghost-limit in /etc/criu/'},
    'docker': {'--tcp-established': 'a line tcp-established or tcp-close in /etc/criu/runc.conf', '--file-locks': 'a line file-locks in /etc/criu/runc.conf'},
}
HOST = ('/usr', '/lib', '/lib64')
CAPABILITIES = [f'--cap-add={name}' for name in ('SYS_ADMIN', 'NET_ADMIN', 'NET_RAW', 'SYS_PTRACE', 'SYS_NICE')]


class Outside:
    """Those outside of the containers."""

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir()
        shutil.copy(PROGRAMS / 'hold-obstacle.py', folder / 'hold.py')
        subprocess.run(['ip', 'address', 'replace', f'{ADDRESS}/32', 'dev', 'lo'], check=True)
        self.process = subprocess.Popen(['/usr/bin/python3', PROGRAMS / 'hold-outside.py', folder])
        wait_until((folder / 'there').exists, 20)

    def close(self):
        """They end."""
        self.process.kill()
        self.process.wait()


class OfEngine:
    """A container of podman or docker."""

    def __init__(self, engine, outside):
        self.engine, self.outside, self.words = engine, outside, WORDS[engine.program]
        self.client = None

    def start(self, name):
        """Its first process; skips the test where it cannot hold this."""
        options = [word for path in HOST for word in ('-v', f'{path}:{path}:ro')]
        if name in DEVICES:
            options += ['--device', DEVICES[name]]
        code, said = self.engine.call('run', '-d', '--name', 'one', *options, '-v', f'{self.outside.folder}:/outside', '-e', f'OUTSIDE={ADDRESS}',
                                      *CAPABILITIES, '--security-opt', 'seccomp=unconfined', 'criu-test', '/usr/bin/python3',
                                      '/outside/hold.py', name, check=False)
        if code:
            pytest.skip(f'it cannot be run here: {said.strip()[-300:]}')
        state = self.engine.state('one')
        if name == 'connection-outside':
            wait_until(lambda: self.connect(state['NetworkSettings']['IPAddress']), 20)
        wait_until(lambda: self.engine.count('one') > 1 or not self.engine.state('one')['State']['Running'], 20)
        if not self.engine.state('one')['State']['Running']:
            pytest.skip(f'that is not to be had here: {self.engine.call("logs", "one").strip()[-300:]}')
        return state['State']['Pid']

    def connect(self, address):
        """As soon as somebody listens there."""
        try:
            self.client = socket.create_connection((address, 7777), timeout=5)
        except OSError:
            return False
        return True

    def checkpoint(self):
        """Exit code and what the engine prints."""
        words = ('container', 'checkpoint', 'one') if self.engine.program == 'podman' else ('checkpoint', 'create', 'one', 'first')
        return self.engine.call(*words, check=False)

    def restore(self):
        """And it goes on."""
        before = self.engine.count('one')
        if self.engine.program == 'podman':
            self.engine.call('container', 'restore', 'one')
        else:
            self.engine.start_from('one', 'first')
        self.engine.wait_more('one', before)

    def await_more(self):
        """It runs on."""
        self.engine.wait_more('one', self.engine.count('one'))

    def close(self):
        """It ends."""
        if self.client:
            self.client.close()
        self.engine.call('rm', '-f', 'one', check=False)


class OfContainerd:
    """A container of ctr."""
    words = WORDS['docker']

    def __init__(self, engine, outside):
        self.engine, self.outside = engine, outside
        self.count = outside.folder / 'count'

    def start(self, name):
        """See OfEngine."""
        mounts = [f'--mount=type=bind,src={path},dst={path},options=rbind:ro' for path in HOST]
        self.count.unlink(missing_ok=True)
        options = ['--device', DEVICES[name]] if name in DEVICES else []
        if name == 'connection-outside':
            pytest.skip('ctr makes no network')
        code, said = self.engine.call('run', '-d', *mounts, *options, f'--mount=type=bind,src={self.outside.folder},dst=/outside,options=rbind:rw',
                                      '--privileged', self.engine.image, 'one', '/bin/sh', '-c',
                                      f'exec /usr/bin/python3 /outside/hold.py {name} > /outside/count 2>&1', check=False)
        if code:
            pytest.skip(f'it cannot be run here: {said.strip()[-300:]}')
        wait_until(lambda: self.counted() > 1 or self.has_failed(), 20)
        if self.has_failed():
            pytest.skip('that is not to be had here')
        return next(int(line.split()[1]) for line in self.engine.call('task', 'ls').splitlines() if line.startswith('one '))

    def has_failed(self):
        """It could not make what it should hold."""
        return self.count.exists() and 'Error' in self.count.read_text()

    def counted(self):
        """How far."""
        words = self.count.read_text().split() if self.count.exists() else []
        return int(words[-1]) if words and words[-1].isdigit() else 0

    def checkpoint(self):
        """See OfEngine."""
        return self.engine.call('containers', 'checkpoint', '--rw', '--image', '--task', 'one', 'checkpoint', check=False)

    def restore(self):
        """It was left running: its own tests restore."""
        self.engine.call('images', 'rm', '--sync', 'checkpoint')
        self.await_more()

    def await_more(self):
        """It runs on."""
        before = self.counted()
        wait_until(lambda: self.counted() > before, 60)

    def close(self):
        """It ends."""
        self.engine.remove('one')


def says(criu, pid):
    """What check --tree says of a dump by the engine: the obstacles as one text each."""
    done = subprocess.run([criu, 'check', '--tree', str(pid), '--json', '-v0'], stdout=subprocess.PIPE, text=True, check=False)
    report = json.loads(done.stdout)
    report = report.get('container', report)
    obstacles = [f"{one['where']}: {one['what']}" for one in report['obstacles']]
    assert report['dump_should_succeed'] == (not obstacles), report
    return obstacles


def try_kind(criu, container, name, logs):
    """One container. The client of containerd saves locks by itself."""
    why = None if name == 'lock' and isinstance(container, OfContainerd) else KINDS[name]
    obstacles = says(criu, container.start(name))
    assert bool(obstacles) == bool(why), obstacles
    code, said = container.checkpoint()
    assert bool(code) == bool(why), said
    if not why:
        return container.restore()
    newest = max(logs.glob('**/*dump.log'), key=lambda path: path.stat().st_mtime)
    cause = next(line for line in newest.read_text(errors='replace').splitlines() if 'Error' in line)
    assert re.search(why, cause), cause
    assert any(re.search(why, one) for one in obstacles), obstacles
    for option, words in container.words.items():
        assert option not in cause or words in cause, cause
    return container.await_more()


@pytest.fixture(scope='module')
def outside(tmp_path_factory):
    """Not in /dev/shm, which containers have of their own."""
    made = Outside(Path(tmp_path_factory.mktemp('outside', numbered=True)) / 'folder')
    yield made
    made.close()


@pytest.fixture(scope='module')
def podmans(criu):
    """A Podman."""
    need('podman', 'runc', 'busybox')
    made = Podman(criu)
    yield made
    made.close()


@pytest.fixture(scope='module')
def dockers(criu):
    """A Docker."""
    need('dockerd', 'docker', 'runc', 'busybox')
    made = Docker(criu)
    try:
        made.start()
        yield made
    finally:
        made.close()


@pytest.fixture(scope='module')
def containerds(criu):
    """A Containerd."""
    need('containerd', 'ctr', 'runc', 'podman', 'busybox')
    made = Containerd(criu)
    yield made
    made.close()


def run(criu, container, name, logs):
    """With whatever it needs."""
    try:
        try_kind(criu, container, name, logs)
    finally:
        container.close()


@pytest.mark.parametrize('name', KINDS)
def test_podman(criu, podmans, outside, name):
    """Each of them."""
    run(criu, OfEngine(podmans, outside), name, podmans.folder)


@pytest.mark.parametrize('name', FEW)
def test_docker(criu, dockers, outside, name):
    """A few: docker hands on no options."""
    run(criu, OfEngine(dockers, outside), name, dockers.folder)


@pytest.mark.parametrize('name', FEW)
def test_containerd(criu, containerds, outside, name):
    """A few."""
    run(criu, OfContainerd(containerds, outside), name, containerds.folder)


@pytest.mark.parametrize('name', FEW)
def test_crun(criu, crun_program, outside, name):
    """A few. It also prints the cause."""
    made = Podman(criu, crun_program)
    try:
        run(criu, OfEngine(made, outside), name, made.folder)
    finally:
        made.close()
