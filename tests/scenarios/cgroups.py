# SPDX-License-Identifier: GPL-2.0-only
"""Cgroups that a test makes for itself, in every hierarchy that it may write to."""
import os
import signal
import time
from pathlib import Path

import pytest

ROOT = Path('/sys/fs/cgroup')


def find_root(controller):
    """The directory of the hierarchy with this controller ("" is cgroup2) that is ours already, or None."""
    for line in Path('/proc/self/cgroup').read_text().splitlines():
        number, controllers, path = line.split(':', 2)
        if (controller and controller in controllers.split(',')) or (not controller and number == '0'):
            folders = [ROOT / controllers, ROOT / controllers.removeprefix('name=')] if controllers else [ROOT / 'unified', ROOT]
            for folder in folders:
                if (folder / 'cgroup.procs').exists():
                    return folder / path.lstrip('/') if (folder / path.lstrip('/')).exists() else folder
    return None


def host_pids(run):
    """The processes of a subject as this test sees them: {pid in the room: pid here}."""
    inside, found = os.stat(f'/proc/{run.room.first}/ns/pid').st_ino, {}
    for proc in Path('/proc').glob('[0-9]*'):
        try:
            if os.stat(proc / 'ns/pid').st_ino == inside and proc.name != run.room.first:
                status = (proc / 'status').read_text()
                found[int(status.split('NSpid:')[1].splitlines()[0].split()[-1])] = int(proc.name)
        except (FileNotFoundError, ProcessLookupError, PermissionError, IndexError):
            pass
    return found


class Cgroup:
    """A cgroup of its own with one below it, `sub`."""

    def __init__(self, controller):
        root = find_root(controller)
        if not root:
            pytest.skip(f'there are no cgroups of {controller or "version 2"}')
        if not os.access(root, os.W_OK):
            pytest.skip(f'{root} cannot be written to')
        self.controller, self.path = controller, root / f'criu-test-{os.getpid()}'
        self.sub = self.path / 'sub'
        self.make()

    def make(self):
        """Makes both; a cpuset gets what its parent has."""
        for folder in (self.path, self.sub):
            try:
                folder.mkdir()
            except PermissionError:
                pytest.skip(f'{folder} cannot be made')
            if self.controller == 'cpuset':
                for name in ('cpuset.cpus', 'cpuset.mems'):
                    (folder / name).write_text((folder.parent / name).read_text())

    def fill(self, run, folder=None):
        """Moves all processes of a subject into it."""
        for pid in host_pids(run).values():
            ((folder or self.sub) / 'cgroup.procs').write_text(str(pid))
        run.before = run.settled_snapshot()

    def pids(self, folder=None, file='cgroup.procs'):
        """Who is in it."""
        return sorted(map(int, ((folder or self.sub) / file).read_text().split()))

    def folders(self):
        """It and all that is below it, the deepest first."""
        return sorted((Path(path) for path, _, _ in os.walk(self.path)), reverse=True) if self.path.exists() else []

    def remove(self):
        """Removes it; who is in it must be about to go."""
        for _ in range(500):
            try:
                for folder in self.folders():
                    folder.rmdir()
                return
            except OSError:
                time.sleep(0.02)
        raise AssertionError(f'{self.path} is still in use')

    def close(self):
        """Kills who is left in it, and removes it."""
        for folder in reversed(self.folders()):
            for name, value in (('freezer.state', 'THAWED'), ('cgroup.freeze', '0')):
                if (folder / name).exists():
                    (folder / name).write_text(value)
        for folder in self.folders():
            try:
                pids = self.pids(folder)
            except OSError:         # a threaded one
                pids = []
            for pid in pids:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
        self.remove()
