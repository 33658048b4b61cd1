# SPDX-License-Identifier: GPL-2.0-only
"""Sockets whose other end is outside of the tree, and those that cannot be saved: what criu says, and the options for it."""
import os

import pytest

from room import PROGRAMS, wait_until

PYTHON = '/usr/bin/python3'


class Tree:
    """A program in the room, dumped and restored with criu."""

    def __init__(self, room, criu, program, *words):
        self.room, self.criu, self.folder = room, criu, room.folder
        (self.folder / 'inside').unlink(missing_ok=True)
        self.pid = room.start(self.folder / 'inside.out', PYTHON, PROGRAMS / program, *words, self.folder)
        wait_until((self.folder / 'inside').exists, 10, lambda: (self.folder / 'inside.out').read_text())

    def call(self, command, *options):
        """Runs criu: (status, log)."""
        images = self.folder / 'images'
        images.mkdir(exist_ok=True)
        done = self.room.run(self.criu, command, '-D', images, '-v4', '-o', command + '.log', *options, env=dict(os.environ))
        log = images / (command + '.log')
        return done.returncode, done.stdout + (log.read_text(errors='replace') if log.exists() else '')

    def dump(self, *options):
        """Of the tree."""
        return self.call('dump', '-t', self.pid, *options)

    def alive(self):
        """Still there and not stopped."""
        return (self.room.proc / str(self.pid) / 'stat').read_text().rsplit(') ', 1)[1][0] in 'SR'


def start_outside(room):
    """The process that the tree is connected to."""
    pid = room.start(room.folder / 'outside.out', PYTHON, PROGRAMS / 'unix-outside.py', room.folder)
    wait_until((room.folder / 'outside').exists, 10, 'nobody outside')
    return pid


def test_peer_outside_is_named(room, criu):
    """Refused: the message tells who is at the other end."""
    outside = start_outside(room)
    tree = Tree(room, criu, 'unix-inside.py', 'stream')
    wait_until((room.folder / 'accepted').exists, 5, 'not accepted')
    status, said = tree.dump()
    assert status != 0
    assert f'of process {outside} (python3)' in said and 'outside of the tree' in said and '--external unix[' in said, said
    assert tree.alive()


def test_datagram_peer_outside(room, criu):
    """With --ext-unix-sk a datagram socket is connected again."""
    start_outside(room)
    tree = Tree(room, criu, 'unix-inside.py', 'datagram')
    status, said = tree.dump()
    assert status != 0 and '--ext-unix-sk' in said, said
    status, said = tree.dump('--ext-unix-sk')
    assert status == 0, said
    status, said = tree.call('restore', '-d', '--ext-unix-sk')
    assert status == 0, said
    (room.folder / 'speak').touch()
    wait_until(lambda: (room.folder / 'datagrams').exists() and 'spoken' in (room.folder / 'datagrams').read_text(), 5,
               'the datagram does not arrive')


def test_stream_peer_outside(room, criu):
    """With its inode named a stream is connected again."""
    start_outside(room)
    tree = Tree(room, criu, 'unix-inside.py', 'stream')
    wait_until((room.folder / 'accepted').exists, 5, 'not accepted')
    status, said = tree.dump()
    assert status != 0
    key = said[said.index('--external unix['):].split()[1].split(']')[0].removeprefix('unix[')
    status, said = tree.dump(f'--ext-unix-sk={key}')
    assert status == 0, said
    status, said = tree.call('restore', '-d', '--ext-unix-sk')
    assert status == 0, said
    wait_until(lambda: (room.folder / 'accepted').read_text() == 'xx', 5, 'it is not connected again')


def key_of(said):
    """The key that the refusal offers."""
    return said[said.index('--external unix['):].split()[1].split(']')[0] + ']'


def test_external_stream(room, criu):
    """--external unix[inode] for one stream: connected again to the same name, by the right number only."""
    start_outside(room)
    tree = Tree(room, criu, 'unix-inside.py', 'stream')
    wait_until((room.folder / 'accepted').exists, 5, 'not accepted')
    key = key_of(tree.dump()[1])
    status, said = tree.dump('--external', 'unix[1]', '--ext-unix-sk')
    assert status != 0 and key in said, f'another socket was allowed, and only datagrams: {said}'
    status, said = tree.dump('--external', key)
    assert status == 0, said
    status, said = tree.call('restore', '-d', '--external', key)
    assert status == 0, said
    wait_until(lambda: (room.folder / 'accepted').read_text() == 'xx', 5, 'it is not connected again')


@pytest.mark.parametrize('kind', ['stream', 'datagram'])
def test_given_socket(room, criu, kind):
    """The other end has no name: refused with the ways out, and at the restore another one must be given."""
    folder = room.folder
    images = folder / 'images'
    images.mkdir()
    room.start(folder / 'out', PYTHON, PROGRAMS / 'socketpair-outside.py', folder, kind)
    wait_until(lambda: (folder / 'inside').exists() and (folder / 'inside').read_text(), 5, 'it does not start')
    pid, ino = (folder / 'inside').read_text().split()
    call = ('dump', '-D', images, '-v4', '-o', 'dump.log', '-t', pid)
    done = room.run(criu, *call)
    said = (images / 'dump.log').read_text()
    assert done.returncode != 0 and '(python3)' in said and 'outside of the tree' in said, said
    option = ('--external', key_of(said)) if kind == 'stream' else ('--ext-unix-sk',)
    assert room.run(criu, *call, *option).returncode == 0, (images / 'dump.log').read_text()
    assert f'socket:[{ino}]' in (images / 'dump.log').read_text()
    done = room.run(criu, 'restore', '-d', '-D', images, '-v4', '-o', 'restore.log', *option)
    said = (images / 'restore.log').read_text()
    assert done.returncode != 0 and f'--inherit-fd fd[N]:socket:[{ino}]' in said, said
    done = room.run(PYTHON, PROGRAMS / 'give-socket.py', folder, kind, criu, 'restore', '-d', '-D', images, '-v4', '-o', 'restore.log',
                    '--inherit-fd', f'fd[77]:socket:[{ino}]', *option)
    assert done.stdout.strip() == '<hello>', done.stdout + (images / 'restore.log').read_text()


def test_outsider_in_backlog(room, criu):
    """A connection from outside that waits for accept is refused with the name of its process, or closed if that was asked for."""
    tree = Tree(room, criu, 'unix-listener.py', 'server')
    outside = room.start(room.folder / 'outside.out', PYTHON, PROGRAMS / 'unix-knock.py', room.folder)
    wait_until((room.folder / 'outside').exists, 5, 'nobody knocks')
    status, said = tree.dump()
    assert status != 0 and f'of process {outside} (python3)' in said and 'waits for accept' in said, said
    assert tree.alive()
    status, said = tree.dump('--ext-unix-sk')
    assert status == 0 and 'it will be closed' in said, said
    status, said = tree.call('restore', '-d', '--ext-unix-sk')
    assert status == 0, said


def check_refused(room, criu, kind, words):
    """A dump must say these words and do no harm."""
    tree = Tree(room, criu, 'unsaved-socket.py', kind)
    status, said = tree.dump()
    assert status != 0 and words in said, said
    assert tree.alive()
    return tree


def test_waiting_tcp_connection(room, criu):
    """A connection in the backlog of a TCP listener is refused, or dropped with --skip-in-flight."""
    tree = check_refused(room, criu, 'tcp', '--skip-in-flight')
    status, said = tree.dump('--skip-in-flight', '--tcp-close')
    assert status == 0, said
    status, said = tree.call('restore', '-d', '--tcp-close')
    assert status == 0, said


def test_multipath_tcp(room, criu):
    """A connection that both ends know is refused with the way out, or closed."""
    tree = check_refused(room, criu, 'mptcp', '--tcp-close, or let')
    status, said = tree.dump('--tcp-close')
    assert status == 0, said
    status, said = tree.call('restore', '-d', '--tcp-close')
    assert status == 0, said


def test_multipath_tcp_waiting(room, criu):
    """The same of one that waits for accept, which can be dropped."""
    tree = Tree(room, criu, 'unsaved-socket.py', 'mptcp+waiting')
    status, said = tree.dump('--tcp-established')
    assert status != 0 and '1 connections of Multipath TCP wait' in said and tree.alive(), said
    status, said = tree.dump('--tcp-close', '--skip-in-flight')
    assert status == 0, said


def test_unknown_family(room, criu):
    """Refused by name, with task and descriptor."""
    tree = check_refused(room, criu, 'express', 'AF_XDP')
    log = (room.folder / 'images/dump.log').read_text()
    assert f'{tree.pid}' in log and 'descriptor 3' in log, log


def test_address_that_went_away(room, criu):
    """The connection is kept as it is: it goes on when its address comes back."""
    tree = Tree(room, criu, 'address-gone.py')
    for _ in range(2):
        status, said = tree.dump('--tcp-established')
        assert status == 0, said
        wait_until(lambda: not (room.proc / str(tree.pid)).exists(), 5, 'it does not end')
        status, said = tree.call('restore', '-d', '--tcp-established')
        assert status == 0, said
    (room.folder / 'go').touch()
    wait_until((room.folder / 'passed').exists, 60, lambda: (room.folder / 'inside.out').read_text())


def test_no_file_is_left(room, criu, monkeypatch):
    """A restore that fails takes the file of a socket away again, if there was none before."""
    tree = Tree(room, criu, 'unix-listener.py', 'stream')
    path = tree.folder / 'server'
    status, said = tree.dump()
    assert status == 0, said
    wait_until(lambda: not room.pids(), 20)
    monkeypatch.setenv('CRIU_FAIL_AT', 'restore/settle/file')
    for is_there in (True, False, False):
        if not is_there:
            path.unlink(missing_ok=True)
        status, said = tree.call('restore', '-d')
        assert status == 1 and 'restore/settle/file' in said, said
        assert path.exists() == is_there and not room.pids()
    monkeypatch.delenv('CRIU_FAIL_AT')
    status, said = tree.call('restore', '-d')
    assert status == 0 and path.is_socket() and room.pids() == [tree.pid], said
    room.kill([tree.pid])
