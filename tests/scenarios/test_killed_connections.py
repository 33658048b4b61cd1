# SPDX-License-Identifier: GPL-2.0-only
"""kill -9 of criu while it reads connections: neither the tasks nor their clients notice, and no rule is left."""
import os
import random
import re
import signal
import subprocess
import time

import pytest

from room import PROGRAMS, wait_until

N = 60

PYTHON = '/usr/bin/python3'


def start_dump(room, criu, pid, images):
    """A dump in a process group of its own."""
    images.mkdir()
    words = [room.program, 'run', room.first, criu, 'dump', '-R', '-t', pid, '-D', images, '-o', 'log', '--tcp-established']
    return subprocess.Popen(list(map(str, words)), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                            stderr=subprocess.DEVNULL, start_new_session=True)


def count_of(folder):
    """How many answers each client has got."""
    return int((folder / 'count').read_text()) if (folder / 'count').exists() else 0


def goes_on(folder):
    """The clients get their answers."""
    before = count_of(folder)
    wait_until(lambda: count_of(folder) > before + 2 or (folder / 'end').exists(), 60, 'a connection hangs')
    assert not (folder / 'end').exists(), (folder / 'end').read_text()


def test_killed_while_reading(room, criu, folder):
    """The process alone, or its whole group, at any moment of the second half of a dump."""
    pid = room.start(folder / 'server.out', PYTHON, PROGRAMS / 'threads-server.py', folder, N)
    wait_until((folder / 'port').exists, 10, 'nobody listens')
    room.start(folder / 'client.out', PYTHON, PROGRAMS / 'threads-client.py', (folder / 'port').read_text(), folder, N)

    def count():
        assert not (folder / 'end').exists(), (folder / 'end').read_text() + (folder / 'server.out').read_text()
        return count_of(folder)

    wait_until(lambda: count() > 3, 20, 'the clients get no answers')
    start = time.monotonic()
    assert start_dump(room, criu, pid, folder / 'whole').wait() == 0, (folder / 'whole/log').read_text()
    length = time.monotonic() - start
    busy = rounds = 0
    while busy < 25:
        rounds += 1
        assert rounds < 500, f'only {busy} of {rounds} dumps were killed in the middle'
        with start_dump(room, criu, pid, folder / f'images{rounds}') as process:
            time.sleep(random.uniform(0.4 * length, length))
            was_busy = process.poll() is None
            length *= 1.05 if was_busy else 0.9     # as long as a dump takes now
            if not was_busy:
                continue
            busy += 1
            if busy % 2:
                process.kill()      # criu dies with it: it asked for SIGKILL when its parent ends
            else:
                os.killpg(process.pid, signal.SIGKILL)
        before = count()
        wait_until(lambda: count() > before + 2, 15, 'a connection is stuck')     # pylint: disable=cell-var-from-loop
        rules = room.run(PYTHON, PROGRAMS / 'list-nft-rules.py').stdout
        assert rules == '', rules


@pytest.mark.parametrize('undone', [False, True])
@pytest.mark.parametrize('lock', ['nftables', 'iptables'])
def test_left_stopped(room, criu, folder, lock, undone):
    """--leave-stopped, kill -9, restore: the sockets of the killed say good-bye, but nobody hears it, and they make room. Or criu undo."""
    pid = room.start(folder / 'server.out', '/usr/bin/python3', PROGRAMS / 'listen-without-reuse.py', folder)
    wait_until(lambda: (folder / 'listens').exists() and (folder / 'listens').read_text(), 20, 'no listener')
    room.start(folder / 'clients.out', '/usr/bin/python3', PROGRAMS / 'threads-client.py', (folder / 'listens').read_text(), folder, 1)

    goes_on(folder)
    done = room.run(criu, 'dump', '-t', pid, '-D', folder, '--tcp-established', '--leave-stopped', '--network-lock', lock)
    assert done.returncode == 0 and 'stays locked' in done.stdout, done.stdout
    if undone:
        room.run('nft', 'add', 'table', 'inet', 'CRIU-of-somebody')
        done = room.run(criu, 'undo', '-t', pid, '-D', folder)
        assert done.returncode == 0 and 'network lock' in done.stdout and 'runs on' in done.stdout, done.stdout
        goes_on(folder)
        assert re.findall('0xc114|CRIU-[^ ]*', room.run('nft', 'list', 'ruleset').stdout) == ['CRIU-of-somebody']
        assert 'DROP' not in room.run('iptables-save').stdout
        return
    room.kill([pid])
    wait_until(lambda: pid not in room.pids(), 20, 'the server does not die')
    done = room.run(criu, 'restore', '-d', '-D', folder, '--tcp-established')
    assert done.returncode == 0, done.stdout
    goes_on(folder)


def test_failed_restores(room, criu, folder):
    """A restore that fails when its connections are already awake: their clients do not notice, and the next one has them."""
    pid = room.start(folder / 'server.out', PYTHON, PROGRAMS / 'threads-server.py', folder, 3)
    wait_until((folder / 'port').exists, 20, 'nobody listens')
    room.start(folder / 'client.out', PYTHON, PROGRAMS / 'threads-client.py', (folder / 'port').read_text(), folder, 3)
    images = folder / 'images'
    images.mkdir()

    goes_on(folder)
    done = room.run(criu, 'dump', '-t', pid, '-D', images, '--tcp-established')
    assert done.returncode == 0, done.stdout
    restore = (criu, 'restore', '-d', '-D', images, '--tcp-established')
    for point in ('restore/settle/cgroup', 'restore/freeze/cgroup', 'restore/resume/file') * 2:
        done = room.run(*restore, env={**os.environ, 'CRIU_FAIL_AT': point})
        assert done.returncode != 0 and point in done.stdout, done.stdout
        time.sleep(0.3)     # for a good-bye that waits to be sent again; a test without a fault passes whatever this is
    done = room.run(*restore)
    assert done.returncode == 0, done.stdout
    goes_on(folder)
