# SPDX-License-Identifier: GPL-2.0-only
"""Two rooms as two machines, between which criu migrate moves a program."""
import contextlib
import itertools
import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from room import PROGRAMS, Room, open_files, wait_until

RECORDS = Path('/run/criu-migrate')
PYTHON = '/usr/bin/python3'
PORTS = itertools.count(7001)


class Side:
    """A machine: a room of its own, in which criu may listen."""

    def __init__(self, room, criu, folder):
        self.room, self.criu, self.folder = room, criu, folder
        self.listener = None
        folder.mkdir()

    def popen(self, log, *words):
        """Starts a program in the room, as a child of ours."""
        with open(self.folder / log, 'wb') as output:
            return subprocess.Popen([self.room.program, 'run', self.room.first, *map(str, words)], cwd=self.folder, stdin=subprocess.DEVNULL,
                                    stdout=output, stderr=subprocess.STDOUT)

    def listen(self, port, *options, way='tcp'):
        """criu migrate --listen; returns when it does."""
        pidfile = self.folder / f'listener-{port}'
        done = self.room.run(self.criu, 'migrate', '--listen', f'{way}://[0.0.0.0]:{port}', '--daemon', '--pidfile', pidfile, '-D', self.folder, '-v4',
                             '-o', self.folder / f'listen-{port}.log', *options)
        assert done.returncode == 0, done.stdout
        self.listener = int(pidfile.read_text())

    def servers(self):
        """Processes that the listener has made for connections."""
        text = (self.room.proc / f'{self.listener}/task/{self.listener}/children').read_text()
        return [int(pid) for pid in text.split()]

    def signal(self, pids, number):
        """A signal to processes of the room, of which a helper may just have ended."""
        assert pids
        done = self.room.run('/bin/kill', f'-{int(number)}', '--', *pids)
        assert done.returncode == 0 or done.stdout.count('No such process') < len(pids), done.stdout

    def programs(self):
        """The pids of the program, with their states."""
        found = {}
        for pid in self.room.pids():
            try:
                if re.search('append-numbers.py|churn-memory|redis-server', (self.room.proc / f'{pid}/cmdline').read_text()):
                    found[pid] = re.search(r'^State:\s+(\w)', (self.room.proc / f'{pid}/status').read_text(), re.M)[1]
            except OSError:
                pass
        return {pid: state for pid, state in found.items() if state not in 'ZX'}

    def end_listening(self):
        """And nothing of criu is left."""
        self.room.kill([self.listener])
        self.listener = None

    def is_clean(self):
        """No process but the program and the listener, no folder of images."""
        others = set(self.room.pids()) - set(self.programs()) - {self.listener}
        return not others and not list(self.folder.glob('criu-migrate-*'))


class Pair:
    """Two machines, the program on one of them."""

    def __init__(self, here, there, folder):
        self.here, self.there, self.folder = here, there, folder
        self.numbers = folder / 'numbers'
        self.pid, self.runs, self.said, self.names = None, 0, '', []

    def forget(self, said):
        """Records of migrations that ended in a cut are no business of this machine."""
        for name in re.findall(r'Migration ([0-9a-f-]{36})', said):
            for path in (RECORDS / name, RECORDS / f'{name}.left', RECORDS / f'{name}.door'):
                path.unlink(missing_ok=True)

    def join(self):
        """A cable between them."""
        name = f'm{os.getpid() % 100000}'
        done = subprocess.run(['ip', 'link', 'add', f'{name}a', 'netns', self.here.room.first, 'type', 'veth', 'peer', 'name', f'{name}b', 'netns',
                               self.there.room.first], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        if done.returncode:
            pytest.skip(f'no veth here: {done.stdout}')
        for side, device, address in ((self.here, f'{name}a', '10.88.0.1'), (self.there, f'{name}b', '10.88.0.2')):
            side.address = address
            said = side.room.run('/bin/sh', '-ec', f'ip link set {device} up && ip addr add {address}/24 dev {device}')
            assert said.returncode == 0, said.stdout

    def start(self, mebibytes=4, program=()):
        """The program, with a pid that nobody else has. program: another one, which takes the name of the file."""
        done = self.here.room.run('/bin/sh', '-ec', 'echo 20000 > /proc/sys/kernel/ns_last_pid')
        assert done.returncode == 0, done.stdout
        self.pid = self.here.room.start(self.folder / 'out', *(program or (PYTHON, PROGRAMS / 'append-numbers.py')), self.numbers, *([] if program else [mebibytes]))
        wait_until(lambda: self.numbers.exists() and self.numbers.stat().st_size > 100, 20, 'the program does not start')

    def count(self):
        """Each number is there once: it has never run twice, and nothing was lost or done again."""
        numbers = [int(line) for line in self.numbers.read_text().splitlines(keepends=True) if line.endswith('\n')]
        assert numbers == list(range(1, len(numbers) + 1)), [n for n, m in zip(numbers, range(1, len(numbers) + 1)) if n != m][:5]
        return len(numbers)

    def goes_on(self):
        """It runs."""
        before = self.count()
        wait_until(lambda: self.count() > before + 5, 20, 'it does not go on')

    def migrate(self, step='none', action='pass', strike=None, options=(), listen=()):
        """From here to there. strike() is called at that step. Returns what criu ended with, and what it said."""
        port, other = next(PORTS), next(PORTS)
        self.runs += 1
        control = self.folder / f'run{self.runs}'
        control.mkdir()
        self.there.listen(other, *listen)
        proxy = self.here.popen(control / 'proxy', PYTHON, PROGRAMS / 'migrate-proxy.py', port, self.there.address, other, control, step, action)
        wait_until((control / 'carries').exists, 20, 'the proxy does not start')
        self.sender = self.here.popen(control / 'sender', self.here.criu, 'migrate', '-t', self.pid, f'tcp://127.0.0.1:{port}', '-v4', '--max-rounds', 1,
                                      '--max-downtime', 20, '-o', control / 'log', *options)
        try:
            if step != 'none':
                wait_until(lambda: (control / 'reached').exists() or self.sender.poll() is not None, 60, 'it does not come to this step')
                assert (control / 'reached').exists(), f'it ends before {step}: ' + (control / 'sender').read_text()
                if strike:
                    strike()
                (control / 'go').touch()
            code = self.sender.wait(120)
            wait_until(self.there.is_clean, 30, lambda: f'left there: {self.there.room.pids()} {list(self.there.folder.glob("criu-migrate-*"))}')
        finally:
            self.sender.kill()
            self.sender.wait()
            self.said = (control / 'sender').read_text() + (control / 'log').read_text() if (control / 'log').exists() else ''
            self.steps = (control / 'steps').read_text().split() if (control / 'steps').exists() else []
            self.port, self.other, self.control = port, other, control
            self.names.append(self.said)
            (control / 'end').touch()
            proxy.wait(60)
        return code

    def name(self):
        """What the last migration is called."""
        return re.search(r'Migration ([0-9a-f-]{36})', self.said)[1]

    def undo(self, *options):
        """What criu undo says here."""
        done = self.here.room.run(self.here.criu, 'undo', '--json', '-o', '/dev/null', *options)
        assert done.returncode == 0, done.stdout
        return json.loads(done.stdout)

    def ask(self):
        """What the other side knows of the last migration."""
        return self.here.room.run(self.here.criu, 'migrate', '--ask', self.name(), f'tcp://{self.there.address}:{self.other}')

    def is_here(self, was_killed=False):
        """It runs on here, and there is nothing of it there. A criu that was killed leaves something for criu undo."""
        self.there.end_listening()
        assert list(self.here.programs()) == [self.pid] and self.here.programs()[self.pid] in 'RSD', self.said
        assert not self.there.programs(), self.said
        self.goes_on()
        wait_until(self.here.is_clean, 30, lambda: f'left here: {self.here.room.pids()}')
        if was_killed:
            done = self.here.room.run(self.here.criu, 'undo', '-t', self.pid)
            assert done.returncode == 0, done.stdout
        assert 'anon_inode:[userfaultfd]' not in open_files(self.here.room.proc / str(self.pid)).values(), self.said

    def is_there(self):
        """It runs there. From now on there is here."""
        self.there.end_listening()
        wait_until(lambda: not self.here.programs(), 20, f'it is still here: {self.said}')
        # The kernel shows no arguments as long as they lie in memory that is still to come.
        wait_until(lambda: list(self.there.programs()) == [self.pid], 20, f'it is not there: {self.said}')
        self.goes_on()
        wait_until(self.here.is_clean, 30, lambda: f'left here: {self.here.room.pids()}')
        self.here, self.there = self.there, self.here

    def find_senders(self):
        """criu migrate here."""
        def words(pid):
            try:
                return (self.here.room.proc / f'{pid}/cmdline').read_bytes()
            except OSError:   # it has just ended
                return b''
        senders = [pid for pid in self.here.room.pids() if b'migrate\0-t' in words(pid)]
        assert senders
        return senders

    def kill_sender(self):
        """-9"""
        senders = self.find_senders()
        self.here.room.kill(senders)
        wait_until(lambda: not set(senders) & set(self.here.room.pids()), 20)

    def kill_server(self):
        """-9 of the process that takes the program in."""
        servers = self.there.servers()
        assert servers
        self.there.room.kill(servers)
        wait_until(lambda: not set(servers) & set(self.there.room.pids()), 20)

    def find_there(self, name):
        """Processes there, by their names."""
        def has_name(pid):
            try:
                return (self.there.room.proc / f'{pid}/comm').read_text() == name + '\n'
            except OSError:
                return False
        return [pid for pid in self.there.room.pids() if has_name(pid)]


@contextlib.contextmanager
def make_pair(room, build, criu, folder, mebibytes=4):
    """Two rooms with a cable, the program runs in the first one."""
    (folder / 'other').mkdir()
    with Room(build / 'tests/subjects/room', folder / 'other') as other:
        pair = Pair(Side(room, criu, folder / 'a'), Side(other, criu, folder / 'b'), folder)
        pair.join()
        pair.start(mebibytes)
        yield pair
        for side in (pair.here, pair.there):
            side.room.kill(list(side.room.pids()))
        pair.forget(' '.join(pair.names))
