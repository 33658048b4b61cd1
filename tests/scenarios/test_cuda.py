# SPDX-License-Identifier: GPL-2.0-only
"""The CUDA plugin, with a library that stands in for NVIDIA's driver."""
import os
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest

from room import PROGRAMS, wait_until
from test_freezer import Group

TOP = Path(__file__).resolve().parents[2]
DUMP = ['thread', 'state', 'lock', 'checkpoint']


class Gpu:
    """A room with /dev/nvidia0, the stand-in driver, and criu with the plugin."""

    def __init__(self, room, criu, build, folder):
        self.room, self.criu, self.folder, self.images = room, criu, folder, folder / 'images'
        self.plugins = folder / 'plugins'
        self.plugins.mkdir()
        self.images.mkdir()
        shutil.copy(build / 'plugins/cuda/cuda_plugin.so', self.plugins)
        self.make_driver()
        done = room.run(PROGRAMS / 'devices.sh')
        assert done.returncode == 0, done.stdout

    def make_driver(self, *flags):
        """Its library."""
        (self.folder / 'driver').mkdir(exist_ok=True)
        subprocess.run(['cc', '-Wall', '-Werror', '-shared', '-fPIC', *(flags or ['-DCHECKPOINTS']), '-o', self.folder / 'driver/libcuda.so.1',
                        TOP / 'tests/plugins/libcuda.c'], check=True)

    def start(self, *words):
        """A program that uses the GPU."""
        program = self.folder / 'cuda-user'
        if not program.exists():
            subprocess.run(['cc', '-Wall', '-Werror', '-D_GNU_SOURCE', '-o', program, PROGRAMS / 'cuda-user.c'], check=True)
        pid = self.room.start(self.folder / 'output', program, self.folder, self.folder / 'driver/libcuda.so.1', *words)
        wait_until((self.folder / f'{pid}.thread').exists, 10, lambda: (self.folder / 'output').read_text())
        self.await_count(pid)
        return pid

    def start_pair(self):
        """One with a child that uses the GPU as well; returns the parent."""
        self.room.kill([self.start()])
        words = f'{self.folder}/cuda-user {self.folder} {self.folder}/driver/libcuda.so.1'
        pid = self.room.start(self.folder / 'output', '/bin/sh', '-c', f'{words} & exec {words}')
        wait_until(lambda: len([other for other in self.room.pids() if (self.folder / f'{other}.thread').exists()]) == 2, 10)
        self.await_count(pid)
        return pid

    def count(self, pid):
        """How far it is: (number, whether it had its device)."""
        path = self.folder / f'{pid}.count'
        return tuple(map(int, path.read_text().split())) if path.exists() else (-1, 0)

    def await_count(self, pid):
        """It goes on, with its device."""
        before = self.count(pid)[0]
        wait_until(lambda: self.count(pid)[0] > before + 3, 10, lambda: (self.folder / 'output').read_text())
        assert self.count(pid)[1] == 1, 'it has no device'

    def calls(self):
        """What the driver was asked for since the last time."""
        path = self.folder / 'calls'
        words = path.read_text().split() if path.exists() else []
        path.write_text('')
        return words

    def call(self, command, *options, **env):
        """Runs criu: (status, log)."""
        log = self.images / (command + '.log')
        done = self.room.run(self.criu, command, '-D', self.images, '-v4', '-o', log, '-L', self.plugins, *options,
                             env={**os.environ, 'LD_LIBRARY_PATH': str(self.folder / 'driver'), 'STANDIN': str(self.folder), **env})
        return done.returncode, done.stdout + (log.read_text(errors='replace') if log.exists() else '')

    def state(self, pid):
        """What the driver says of it."""
        return (self.folder / f'{pid}.state').read_text()

    def device_is_open(self, pid):
        """Has it /dev/nvidia0?"""
        fds = self.room.proc / str(pid) / 'fd'
        return '/dev/nvidia0' in [os.readlink(fds / number) for number in os.listdir(fds)]


@pytest.fixture
def gpu(room, criu, build, folder):
    """A room with a GPU."""
    return Gpu(room, criu, build, folder)


def test_dump_and_restore(gpu):
    """Locked while it runs, checkpointed when it stands, given its GPU back after the restore; twice."""
    pid = gpu.start()
    for _ in range(2):
        gpu.calls()
        status, said = gpu.call('dump', '-t', pid)
        assert status == 0, said
        assert gpu.calls() == DUMP, said
        assert gpu.state(pid) == 'checkpointed'
        wait_until(lambda: pid not in gpu.room.pids(), 10)
        status, said = gpu.call('restore', '-d')
        assert status == 0, said
        assert gpu.calls() == ['thread', 'state', 'restore', 'unlock'], said
        assert gpu.state(pid) == 'running' and gpu.device_is_open(pid)
        gpu.await_count(pid)


def test_left_running(gpu):
    """The driver gives the GPU back when the dump is complete."""
    pid = gpu.start()
    gpu.calls()
    status, said = gpu.call('dump', '-t', pid, '--leave-running')
    assert status == 0, said
    assert gpu.calls() == DUMP + ['state', 'restore', 'unlock'], said
    gpu.await_count(pid)
    assert gpu.device_is_open(pid)


@pytest.mark.parametrize('call', ['thread=die', 'state', 'lock', 'lock=die', 'checkpoint', 'checkpoint=die', 'init'])
def test_failing_driver(gpu, call):
    """The dump fails with the driver's words, and the program has its GPU."""
    pid = gpu.start()
    status, said = gpu.call('dump', '-t', pid, STANDIN_FAIL=call)
    assert status == 1, said
    words = {'init': 'CUDA_ERROR_NO_DEVICE', 'die': 'died by signal 11'}.get(call.rpartition('=')[2], 'CUDA_ERROR_ILLEGAL_STATE')
    assert 'the plugin cuda_plugin failed at' in said and words in said, said
    gpu.await_count(pid)
    assert gpu.state(pid) == 'running' and gpu.device_is_open(pid)


def test_failing_dump(gpu):
    """Another reason ends the dump after the checkpoint of the device."""
    pid = gpu.start()
    gpu.calls()
    status, said = gpu.call('dump', '-t', pid, CRIU_FAIL_AT='dump/write/file')
    assert status == 1 and gpu.calls() == DUMP + ['state', 'restore', 'unlock'], said
    gpu.await_count(pid)
    assert gpu.device_is_open(pid)


def test_deaf_driver(gpu):
    """A program that does not answer cannot be locked."""
    pid = gpu.start('deaf')
    status, said = gpu.call('dump', '-t', pid, '--timeout', '1')
    assert status == 1 and 'CUDA_ERROR_NOT_READY' in said, said
    gpu.await_count(pid)


@pytest.mark.parametrize('lacks', ['library', 'functions'])
def test_no_driver(gpu, lacks):
    """A tree with an NVIDIA device and no driver that can save it is refused with the way out; the restore as well."""
    pid = gpu.start()
    status, said = gpu.call('dump', '-t', pid, '--leave-running')
    assert status == 0, said
    if lacks == 'library':
        os.rename(gpu.folder / 'driver/libcuda.so.1', gpu.folder / 'driver/libcuda.so.2')
    else:
        os.unlink(gpu.folder / 'driver/libcuda.so.1')
        gpu.make_driver('-DOLD')
    words = {'library': 'libcuda.so.1', 'functions': 'it needs driver 570 or later'}[lacks]
    status, said = gpu.call('restore', '-d')
    assert status == 1 and 'the checkpoint has programs that use CUDA' in said and words in said, said
    status, said = gpu.call('dump', '-t', pid)
    assert status == 1 and words in said and "install NVIDIA's driver" in said, said
    gpu.await_count(pid)


def test_others_are_left_alone(gpu, subject):
    """Nothing is asked for a tree without a device, and its images name no plugin."""
    run = subject('file/pipe')
    status, said = gpu.call('dump', '-t', run.pid)
    assert status == 0 and gpu.calls() == [], said
    (gpu.plugins / 'cuda_plugin.so').unlink()
    status, said = gpu.call('restore', '-d')
    assert status == 0, said
    run.release()


def test_frozen_cgroup(gpu):
    """With --freeze-cgroup all are locked before the cgroup stands still: children, too."""
    pid = gpu.start_pair()
    child = next(other for other in gpu.room.pids() if other > pid and (gpu.folder / f'{other}.count').exists())
    group = Group(1)
    try:
        group.add(SimpleNamespace(room=gpu.room, settled_snapshot=lambda: None))
        gpu.calls()
        status, said = gpu.call('dump', '-t', pid, '--freeze-cgroup', group.path)
        assert status == 0, said
        assert gpu.calls() == ['thread', 'state', 'lock'] * 2 + ['checkpoint'] * 2, said
        wait_until(lambda: pid not in gpu.room.pids(), 10)
    finally:
        group.close()
    status, said = gpu.call('restore', '-d', '--manage-cgroups=ignore')
    assert status == 0, said
    for one in (pid, child):
        gpu.await_count(one)
        assert gpu.state(one) == 'running'


def test_failing_resume(gpu):
    """The tasks are there, and cannot be taken back: it is said."""
    pid = gpu.start()
    assert gpu.call('dump', '-t', pid)[0] == 0
    wait_until(lambda: pid not in gpu.room.pids(), 10)
    status, said = gpu.call('restore', '-d', STANDIN_FAIL='restore')
    assert status == 0 and 'cuda_plugin failed at RESUME_DEVICES_LATE' in said and 'CUDA_ERROR_ILLEGAL_STATE' in said, said
    assert gpu.state(pid) == 'checkpointed'


def test_missing_plugin(gpu):
    """The restore of such images does not begin without it."""
    pid = gpu.start()
    status, said = gpu.call('dump', '-t', pid)
    assert status == 0, said
    wait_until(lambda: pid not in gpu.room.pids(), 10)
    (gpu.plugins / 'cuda_plugin.so').unlink()
    status, said = gpu.call('restore', '-d')
    assert status == 1 and 'made with the plugin cuda_plugin, which is missing here' in said, said
