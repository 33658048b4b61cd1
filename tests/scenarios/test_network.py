# SPDX-License-Identifier: GPL-2.0-only
"""TCP connections to somebody outside of the tree: he notices nothing but a pause, and no rule of the lock is left behind."""
import os
import random
import shutil
import socket
import subprocess
import time

import pytest

from room import PROGRAMS, wait_until

PYTHON = '/usr/bin/python3'


class Talk:
    """A server in the tree and its client outside."""

    def __init__(self, room, criu, family):
        self.room, self.criu, self.folder = room, criu, room.folder
        self.images = 0
        self.pid = room.start(self.folder / 'server.out', PYTHON, PROGRAMS / 'tcp-server.py', family, self.folder)
        port = wait_until((self.folder / 'port').exists, 10, 'the server does not listen')
        port = (self.folder / 'port').read_text()
        room.start(self.folder / 'client.out', PYTHON, PROGRAMS / 'tcp-client.py', '127.0.0.1' if family == socket.AF_INET else '::1', port, self.folder)
        self.goes_on()

    def count(self):
        """Answers that the client has got; he must not have stopped."""
        end = self.folder / 'end'
        assert not end.exists(), end.read_text()
        text = (self.folder / 'count').read_text() if (self.folder / 'count').exists() else ''
        return int(text or 0)

    def goes_on(self):
        """The client gets further answers."""
        before = self.count()
        wait_until(lambda: self.count() > before + 20, 15, 'the connection is stuck')

    def rules(self):
        """All rules of the packet filter."""
        return self.room.run(PYTHON, PROGRAMS / 'list-nft-rules.py').stdout

    def call(self, command, *options, env=None):
        """Runs criu in the room: (status, log)."""
        images = self.folder / f'images{self.images}'
        images.mkdir(exist_ok=True)
        words = [self.criu, command, '-D', images, '-v4', '-o', command + '.log', '--tcp-established', *options]
        done = self.room.run(*words, env={**os.environ, **(env or {})})
        log = images / (command + '.log')
        return done.returncode, done.stdout + (log.read_text(errors='replace') if log.exists() else '')

    def dump(self, *options, env=None):
        """Into a new folder."""
        self.images += 1
        return self.call('dump', '-t', self.pid, *options, env=env)

    def restore(self, *options, env=None):
        """From the last folder."""
        return self.call('restore', '-d', *options, env=env)


@pytest.fixture(params=[2, 10], ids=['IPv4', 'IPv6'])
def talk(request, room, criu):
    """One talk for each family."""
    return Talk(room, criu, request.param)


def test_only_a_pause(talk):
    """Dump, wait, restore, three times over."""
    for _ in range(3):
        status, said = talk.dump('--network-lock', 'nftables')
        assert status == 0, said
        assert 'table inet CRIU-' in talk.rules() and 'owner' not in talk.rules()
        time.sleep(0.3)
        talk.count()
        status, said = talk.restore()
        assert status == 0, said
        assert talk.rules() == ''
        talk.goes_on()


def test_iptables(talk):
    """The same by iptables rules: there after the dump, gone after the restore."""
    if not shutil.which('iptables-restore', path='/usr/sbin:/sbin'):
        pytest.skip('no iptables here')
    for _ in range(2):
        status, said = talk.dump('--network-lock', 'iptables')
        assert status == 0, said
        assert talk.rules().count('drop') == 2 and 'CRIU' not in talk.rules(), talk.rules()
        time.sleep(0.3)
        talk.count()
        status, said = talk.restore()
        assert status == 0, said
        assert 'drop' not in talk.rules()
        talk.goes_on()


def test_restore_again_after_failure(talk):
    """The lock of the dump survives a restore that fails."""
    status, said = talk.dump('--network-lock', 'nftables')
    assert status == 0, said
    rules = talk.rules()
    for point in ('restore/furnish/file', 'restore/settle/file'):
        status, said = talk.restore(env={'CRIU_FAIL_AT': point})
        assert status != 0, said
        assert talk.rules() == rules
    status, said = talk.restore()
    assert status == 0, said
    assert talk.rules() == ''
    talk.goes_on()


def test_no_rule_is_left(talk):
    """Not by a dump that leaves the tasks running, and not by one that fails."""
    status, said = talk.dump('-R')
    assert status == 0, said
    assert talk.rules() == ''
    talk.goes_on()
    for point in ('dump/finish/file', 'dump/inventory', 'dump/lock/net'):
        status, said = talk.dump(env={'CRIU_FAIL_AT': point})
        assert status != 0, said
        assert talk.rules() == ''
        talk.goes_on()


def kill_dump(talk, delay):
    """Starts a dump and kills criu after so many seconds. Returns whether it was still at work."""
    talk.images += 1
    images = talk.folder / f'images{talk.images}'
    images.mkdir()
    words = [talk.room.program, 'run', talk.room.first, talk.criu, 'dump', '-R', '-t', talk.pid, '-D', images, '-o', 'log',
             '--tcp-established']
    with subprocess.Popen(list(map(str, words)), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL) as process:
        time.sleep(delay)
        was_busy = process.poll() is None
        process.kill()      # criu dies with it: it asked for SIGKILL when its parent ends
    return was_busy


def test_killed_dump_leaves_no_rule(talk):
    """kill -9 at any moment: no rule is left, and the tasks talk on."""
    start = time.monotonic()
    talk.dump('-R')
    length = time.monotonic() - start
    busy = rounds = 0
    while busy < 15:
        was_busy = kill_dump(talk, random.uniform(0, length))
        length *= 1.1 if was_busy else 0.9      # as long as a dump takes now
        busy, rounds = busy + was_busy, rounds + 1
        assert rounds < 300, f'only {busy} of {rounds} dumps were killed in the middle'
        wait_until(lambda: talk.rules() == '', 3, talk.rules)
        talk.goes_on()


def test_closed_on_request(talk):
    """With --tcp-close the client is told at once."""
    status, said = talk.dump('--tcp-close')
    assert status == 0, said
    end = talk.folder / 'end'
    wait_until(end.exists, 5, 'the client still waits')
    assert 'ConnectionReset' in end.read_text()
    assert talk.rules() == ''


def kill_restore(talk, phase):
    """Starts a restore and kills criu when the action script runs at this moment."""
    here = talk.folder / 'here'
    here.unlink(missing_ok=True)
    words = [talk.room.program, 'run', talk.room.first, 'env', f'STAY_AT={phase}', f'MARKER={here}', talk.criu, 'restore', '-d', '-D', talk.folder / f'images{talk.images}',
             '-o', 'killed.log', '--tcp-established', '--action-script', PROGRAMS / 'stay-at.sh']
    with subprocess.Popen(list(map(str, words)), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL) as process:
        wait_until(here.exists, 10, f'there is no phase {phase}')
        process.kill()


def test_killed_restore(talk):
    """kill -9 of a restore: only the rules of the dump are left, and the next restore brings the connection back."""
    status, said = talk.dump('--network-lock', 'nftables')
    assert status == 0, said
    rules = talk.rules()
    for phase in ('pre-restore', 'post-restore'):      # before anything is made, and when all is ready to run
        kill_restore(talk, phase)
        wait_until(lambda: talk.pid not in talk.room.pids(), 3, 'the half-made task lives on')
        wait_until(lambda: talk.rules() == rules, 3, talk.rules)
    status, said = talk.restore()
    assert status == 0, said
    assert talk.rules() == ''
    talk.goes_on()
