# SPDX-License-Identifier: GPL-2.0-only
"""--freeze-cgroup: trees that never stand still, groups that were frozen before, a criu that is killed while they are frozen."""
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from room import PROGRAMS, wait_until

VERSIONS = {1: (Path('/sys/fs/cgroup/freezer'), 'freezer.state', 'FROZEN', 'THAWED'),
            2: (Path('/sys/fs/cgroup/unified'), 'cgroup.freeze', '1', '0')}


class Group:
    """A freezer cgroup of its own."""

    def __init__(self, version):
        root, self.control, self.frozen, self.thawed = VERSIONS[version]
        if version == 2 and not root.exists():
            root = Path('/sys/fs/cgroup')
        if not (root / 'cgroup.procs').exists():
            pytest.skip(f'no cgroups of version {version} here')
        self.path = root / f'criu-test-{os.getpid()}'
        self.path.mkdir()
        if not (self.path / self.control).exists():
            self.path.rmdir()
            pytest.skip('it cannot be frozen')

    def add(self, run):
        """All processes of the room of a subject."""
        room = run.room
        inside = os.stat(f'/proc/{room.first}/ns/pid').st_ino
        for proc in [*Path('/proc').glob('[0-9]*')] * 3:
            try:
                if os.stat(proc / 'ns/pid').st_ino == inside and proc.name != room.first:
                    (self.path / 'cgroup.procs').write_text(proc.name)
            except (FileNotFoundError, ProcessLookupError, PermissionError):
                pass
        run.before = run.settled_snapshot()

    def freeze(self):
        """Stops all in it."""
        (self.path / self.control).write_text(self.frozen)
        wait_until(self.is_frozen, 5)

    def is_frozen(self):
        """Whether all stand."""
        if self.control == 'cgroup.freeze':
            return 'frozen 1' in (self.path / 'cgroup.events').read_text()
        return (self.path / self.control).read_text().strip() == self.frozen

    def shall_be_frozen(self):
        """What it was told to be."""
        return (self.path / self.control).read_text().strip() in (self.frozen, 'FREEZING')

    def close(self):
        """Kills what is left."""
        (self.path / self.control).write_text(self.thawed)
        for _ in range(3000):
            for pid in (self.path / 'cgroup.procs').read_text().split():
                try:
                    os.kill(int(pid), signal.SIGKILL)
                except ProcessLookupError:
                    pass
            try:
                self.path.rmdir()
                return
            except OSError:
                time.sleep(0.02)
        raise AssertionError('the cgroup is still in use')


@pytest.fixture(params=[1, 2], ids=['v1', 'v2'])
def group(request):
    """A cgroup for each version that this machine has."""
    made = Group(request.param)
    yield made
    made.close()


@pytest.mark.parametrize('name', ['tree/family', 'tree/churn', 'thread/several', 'thread/computing'])
def test_dump_and_restore(subject, group, name):
    """The tree is as before after a dump that leaves it running, and after a restore; the group is not frozen."""
    run = subject(name)
    group.add(run)
    images = run.dump('--leave-running', '--freeze-cgroup', group.path)
    assert 'Frozen' in (images / 'dump.log').read_text()
    assert not group.shall_be_frozen()
    run.compare('after a dump')
    images = run.dump('--freeze-cgroup', group.path)
    assert not group.shall_be_frozen()
    run.await_gone()
    run.restore(images)
    run.compare('after the restore')
    run.release()


def test_frozen_in_the_middle(subject, group):
    """Somebody freezes the tree while criu works in it: the dump ends and says why, and the tasks run on when they are thawed."""
    run = subject('tree/family', house='net')
    group.add(run)
    tasks = [run.room.proc / str(pid) for pid in run.room.pids()]
    status, said = run.call_criu('dump', run.folder_of_images(), '-t', run.pid, '--timeout', '1', '--action-script', PROGRAMS / 'freeze-cgroup.sh',
                                 env={'CONTROL': str(group.path / group.control), 'WORD': group.frozen})
    assert status == 1 and 'is its cgroup frozen?' in said, said        # None: it was still waiting after two minutes
    (group.path / group.control).write_text(group.thawed)
    wait_until(lambda: all('TracerPid:\t0\n' in (task / 'status').read_text() for task in tasks), 20, 'criu is still at work')
    assert not any('/dev/zero (deleted)' in (task / 'maps').read_text() for task in tasks), 'memory of criu is left behind'
    run.compare('after the dump that failed')
    images = run.dump()
    run.await_gone()
    run.restore(images)
    run.compare('after the restore')
    run.release()


def test_frozen_before(subject, group):
    """Tasks that were frozen are dumped, and are frozen again if they stay."""
    run = subject('tree/family')
    group.add(run)
    group.freeze()
    run.dump('--leave-running', '--freeze-cgroup', group.path)
    wait_until(group.is_frozen, 5, 'it is not frozen again')
    code, said = run.call_criu('dump', run.folder_of_images(), '-t', run.pid, '--freeze-cgroup', group.path, env={'CRIU_FAIL_AT': 'dump/memory/memory'})
    assert code == 1, said
    wait_until(group.is_frozen, 5, 'it is not frozen again')
    images = run.dump('--freeze-cgroup', group.path)
    run.await_gone()
    run.restore(images)
    wait_until(group.is_frozen, 5, 'it is not frozen again')
    (group.path / group.control).write_text(group.thawed)
    run.release()


@pytest.mark.parametrize('point', ['dump/freeze', 'dump/collect/file', 'dump/inventory'])
def test_failure(subject, group, point):
    """A dump that fails leaves the tasks running."""
    run = subject('tree/family')
    group.add(run)
    code, said = run.call_criu('dump', run.folder_of_images(), '-t', run.pid, '--freeze-cgroup', group.path, env={'CRIU_FAIL_AT': point})
    assert code == 1 and 'fault injected' in said
    assert not group.shall_be_frozen()
    run.compare('after a failed dump')
    run.release()


def names(room):
    """Of all processes, zombies too: whose parent was killed, is reaped by the first process outside of the room."""
    found = set()
    for pid in room.pids():
        try:
            found.add((room.proc / str(pid) / 'comm').read_text().strip())
        except (FileNotFoundError, ProcessLookupError):
            pass
    return found


def test_killed(subject, group):
    """A criu that is killed at any time leaves nobody frozen."""
    run = subject('tree/churn')
    group.add(run)
    images = run.folder_of_images()
    program = [run.room.program, 'run', run.room.first, run.criu, 'dump', '-t', str(run.pid), '-D', str(images), '-R',
               '--freeze-cgroup', str(group.path)]
    for delay in range(0, 24):
        with subprocess.Popen(program, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True) as process:
            time.sleep(delay / 1500)
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        wait_until(lambda: not group.shall_be_frozen(), 5, f'frozen after {delay}')
    wait_until(lambda: not {'criu', 'room'} & names(run.room), 20, 'a criu is left')
    run.dump('-R', '--freeze-cgroup', group.path)
    run.subject.about['ignore'] += ' areas'     # memory of a criu that was killed is the matter of test_safety.py
    run.compare('after all')
    run.release()


@pytest.mark.parametrize('version', VERSIONS)
def test_root_of_a_hierarchy(subject, version):
    """What crun names for a container without a cgroup of its own: it cannot be frozen, which is told, and is no hindrance."""
    root = VERSIONS[version][0]
    if version == 2 and not root.exists():
        root = Path('/sys/fs/cgroup')
    if not (root / 'cgroup.procs').exists():
        pytest.skip(f'no cgroups of version {version} here')
    run = subject('tree/family')
    images = run.dump('--freeze-cgroup', root)
    assert 'cannot be frozen: the tasks are stopped one after the other' in (images / 'dump.log').read_text()
    run.await_gone()
    run.restore(images)
    run.release()


def test_wrong_directories(subject, folder):
    """What is no freezer cgroup is refused with its path."""
    run = subject('file/pipe')
    for path, words in ((folder / 'nowhere', 'No such file'), (folder, 'neither freezer.state nor cgroup.freeze')):
        code, said = run.call_criu('dump', run.folder_of_images(), '-t', run.pid, '--freeze-cgroup', path)
        assert code == 1 and f'--freeze-cgroup {path}' in said and words in said
    run.compare('after it')
    run.release()


def test_server_of_unsaved_mount(room, criu, folder):
    """Whoever waits for a stopped server cannot even be killed: refused before it is stopped, if the mount is that of criu."""
    pid = room.start(folder / 'out', '/usr/bin/python3', PROGRAMS / 'serve-empty-fuse.py', folder)
    count = folder / 'count'
    wait_until(lambda: count.exists() and count.stat().st_size > 3, 20, (folder / 'out').read_text)
    images = folder / 'images'
    images.mkdir()
    done = room.run(criu, 'dump', '-t', pid, '-D', images)
    assert done.returncode == 1 and f'process {pid} of the tree serves a FUSE file system' in done.stdout, done.stdout
    before = count.stat().st_size
    wait_until(lambda: count.stat().st_size > before, 20, 'it does not go on')
