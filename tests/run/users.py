# SPDX-License-Identifier: GPL-2.0-only
"""A service of root, and ordinary users who ask it."""
import contextlib
import ctypes
import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import rpc

USER, OTHER = 60101, 60102
TOP = Path(__file__).resolve().parents[2]
PYTHON = '/usr/bin/python3'
QUIET = {'stdin': subprocess.DEVNULL, 'stdout': subprocess.DEVNULL, 'stderr': subprocess.DEVNULL}


def as_user(uid=USER, **more):
    """Arguments of subprocess functions that make the child this user's."""
    return {'user': uid, 'group': uid, 'extra_groups': [], 'cwd': '/', **more}


def wait_for(condition, seconds=60):
    """Polls."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


class World:
    """A running service and a directory that belongs to the user."""

    def __init__(self, folder, criu, build):
        self.folder, self.criu, self.crit = folder, criu, build / 'crit'
        self.home = self.make('home')
        # World-readable copies: the tree of the developer may be closed to others.
        for name in ('tests/run', 'tests/programs', 'proto'):
            shutil.copytree(TOP / name, folder / name)
        self.programs = folder / 'tests/programs'
        self.program = self.programs / 'plain_user.py'
        self.client = folder / 'tests/run/rpc.py'
        self.images = self.make('images')
        self.started = []

    def make(self, name):
        """A directory of the user."""
        path = self.folder / name
        path.mkdir()
        os.chown(path, USER, USER)
        return path

    def ask(self, kind, prefix=(), uid=USER, images=None, **opts):
        """(reply, notifications) that a client of this user gets."""
        reap()
        opts = {'open': str(images or self.images), 'log_level': 4, 'notify_scripts': True, **opts}
        words = [*prefix, PYTHON, str(self.client), str(self.folder / 'socket'), kind, json.dumps(opts)]
        done = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True, timeout=120, **as_user(uid))
        return json.loads(done.stdout)

    def start(self):
        """The user's program."""
        process = subprocess.Popen([PYTHON, str(self.program), str(self.home)], start_new_session=True, **QUIET, **as_user())
        wait_for((self.home / 'ready').exists)
        self.started.append(process.pid)
        return process

    def end(self):
        """Ends what is left of the user's programs, whose children outlive them."""
        for pid in self.started:
            kill_session(pid)

    def edit(self, name, change, images=None):
        """Changes the entries of an image by hand, as anybody could."""
        path = (images or self.images) / name
        image = json.loads(subprocess.run([self.crit, 'decode', '-i', path], check=True, stdout=subprocess.PIPE).stdout)
        change(image['entries'])
        path.write_bytes(subprocess.run([self.crit, 'encode'], check=True, input=json.dumps(image).encode(),
                                        stdout=subprocess.PIPE).stdout)


def adopt(children):
    """Whether orphans become our children (PR_SET_CHILD_SUBREAPER): who knows how soon the first process of the machine reaps."""
    ctypes.CDLL(None).prctl(36, int(children), 0, 0, 0)


def reap():
    """Those of dumped and restored trees that have died and became our children; a restore would wait for their pids."""
    for pid in Path(f'/proc/self/task/{os.getpid()}/children').read_text().split():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError, ChildProcessError):    # another thread of ours was faster
            if Path(f'/proc/{pid}/stat').read_text().rsplit(')', 1)[1].split()[0] == 'Z':
                os.waitpid(int(pid), 0)


def open_world(criu, build, folder):
    """A World, and the process of its service."""
    world = World(folder, criu, build)
    process = subprocess.Popen([criu, 'service', '-W', folder, '--address', 'socket', '-o', 'service.log', '-v4'], **QUIET)
    rpc.connect(folder / 'socket').sock.close()
    return world, process


def members_of(leader):
    """The processes of a session: pid and state of each."""
    for path in Path('/proc').glob('[0-9]*/stat'):
        try:
            fields = path.read_text().rsplit(')', 1)[1].split()
        except OSError:
            continue
        if int(fields[3]) == leader:
            yield int(path.parent.name), fields[0]


def kill_session(leader):
    """What was restored, until all of it is reaped: a zombie keeps the number of its session in use, and orphans are ours to reap."""
    for pid, state in members_of(leader):
        if state != 'Z':
            os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + 60
    while list(members_of(leader)) and time.monotonic() < deadline:
        reap()
        time.sleep(0.002)


def status_of(pid):
    """/proc/PID/status as a dictionary."""
    lines = Path(f'/proc/{pid}/status').read_text().splitlines()
    return dict(line.split(':\t', 1) for line in lines if ':\t' in line)


def service_pid(world):
    """Of the service of this world."""
    for path in Path('/proc').glob('[0-9]*/cmdline'):
        try:
            if path.read_bytes().split(b'\0')[1:4] == [b'service', b'-W', str(world.folder).encode()]:
                return int(path.parent.name)
        except OSError:
            continue
    raise AssertionError('there is no service')


def workers_of(world):
    """Pids of the processes that the service has made."""
    pid = service_pid(world)
    return [int(word) for word in Path(f'/proc/{pid}/task/{pid}/children').read_text().split()]


def idle_client(world):
    """A connection of the user that does nothing: its process, and the worker's pid."""
    process = subprocess.Popen([PYTHON, world.programs / 'idle-client.py', world.folder / 'socket'], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, **as_user())
    process.stdout.readline()
    worker, = workers_of(world)
    return process, worker
