# SPDX-License-Identifier: GPL-2.0-only
"""A room for one case: namespaces of its own with a first process that reaps; see tests/subject/room.c."""
import contextlib
import os
import platform
import re
import subprocess
import time
from pathlib import Path

import pytest

# What scenarios checkpoint, one file for each program: see docs/ADD-A-TEST.md.
PROGRAMS = Path(__file__).resolve().parents[1] / 'programs'

# Checkpoints of other machines, whose threads had used AVX-512 registers: a CPU without them is rightly refused.
wants_avx512 = pytest.mark.skipif(platform.machine() == 'x86_64' and 'avx512f' not in Path('/proc/cpuinfo').read_text(),
                                  reason='the images want AVX-512, which this CPU lacks')


class Room:
    """Use as a context manager; everything in the room dies with it."""

    def __init__(self, program, folder, propagation='private'):
        self.program, self.folder = str(program), Path(folder)
        self.log, self.propagation = self.folder / 'reaped', propagation
        self.process = self.first = None

    def __enter__(self):
        self.process = subprocess.Popen([self.program, 'open', str(self.log), self.propagation], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        self.first = self.process.stdout.readline().strip()
        if not self.first:
            raise RuntimeError('cannot make a room of its own: are you root?')
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.stdout.close()
        wait_until(lambda: reap_orphans() or self.process.poll() is not None, 20, 'the room does not close')

    @property
    def proc(self):
        """The room's own /proc, seen from here."""
        return Path(f'/proc/{self.first}/root/proc')

    def run(self, *command, cwd=None, timeout=120, env=None):
        """Runs a command in the room; returns the CompletedProcess with its output, both streams in one."""
        return subprocess.run([self.program, 'run', self.first, *map(str, command)], cwd=cwd or self.folder,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, errors='replace', timeout=timeout, env=env, check=False)

    def start(self, output, *command, cwd=None, env=None, house='-'):
        """Starts an orphan with a session of its own, in a house: namespaces within the room; returns its pid in the room."""
        done = subprocess.run([self.program, 'start', self.first, str(output), house, *map(str, command)],
                              cwd=cwd or self.folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
                              timeout=120, env=env, check=True)
        return int(done.stdout)

    def pids(self):
        """All processes of the room but the first, in order."""
        return sorted(int(name) for name in os.listdir(self.proc) if name.isdigit() and name != '1')

    def kill(self, pids):
        """Kills at once, so that nobody sees a sibling die first."""
        if pids:
            self.run('/bin/kill', '-KILL', '--', *pids)

    def reaped(self):
        """What the first process has reaped so far: [(pid, status)]."""
        if not self.log.exists():
            return []
        return [tuple(map(int, line.split())) for line in self.log.read_text().splitlines()]

    def mounts(self):
        """The mounts of the room."""
        return (self.proc / '1/mountinfo').read_text()

    def changed_mounts(self, before):
        """
        What is mounted that was not before, and what of its own the room has lost. It also has what the machine had when it was opened, and
        loses that when somebody removes the directory below it (ip netns delete).
        """
        before, now = set(before.splitlines()), set(self.mounts().splitlines())
        own = {line for line in before if line.split()[4] in ('/', '/proc', '/dev/pts', '/dev/ptmx')}
        return sorted(now - before) + sorted(own - now)


def open_files(proc):
    """What the descriptors of a running process refer to, without those that it closes meanwhile."""
    files = {}
    for number in os.listdir(proc / 'fd'):
        try:
            files[number] = os.readlink(proc / 'fd' / number)
        except FileNotFoundError:
            pass
    return files


def reap_orphans():
    """If orphans come to us (users.py), those of a room keep it open until they are reaped."""
    for children in Path('/proc/self/task').glob('*/children'):
        for pid in text_or_nothing(children).split():
            status = text_or_nothing(Path('/proc', pid, 'status'))
            if 'State:\tZ' in status and len(re.search(r'NSpid:(.*)', status)[1].split()) > 1:
                with contextlib.suppress(ChildProcessError):    # another thread of ours was faster
                    os.waitpid(int(pid), 0)


def text_or_nothing(path):
    """A file of /proc; nothing if the thread or the process has just ended."""
    try:
        return path.read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ''


def wait_until(condition, seconds, what='it does not come about'):
    """
    Waits until condition() is true and returns it; raises AssertionError(what) when it takes much longer than these seconds, which are those
    of a quiet machine: a busy one may need a minute for anything, and only a failure ever takes as long.
    """
    deadline = time.monotonic() + max(60, 5 * seconds)
    while True:
        late = time.monotonic() > deadline      # before we look: we may have been kept from looking
        result = condition()
        if result:
            return result
        assert not late, what() if callable(what) else what
        time.sleep(0.002)


def wait_until_it_reads(pid):
    """Waits until a process sleeps in read() of its standard input: before that, bash may miss the moment for a trap."""
    wait_until(lambda: text_or_nothing(Path(f'/proc/{pid}/syscall')).startswith('0 0x0 '), 20, f'process {pid} does not read')
