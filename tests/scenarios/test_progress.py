# SPDX-License-Identifier: GPL-2.0-only
"""How far a transfer is, told on a terminal, in the log, to clients and in the statistics; and transfers that are bounded."""
import contextlib
import json
import os
import pty
import re
import signal
import socket
import subprocess
import sys
import time

import pytest
import rpc
from room import PROGRAMS, wait_until

SIZE = 12 << 20     # of memory, which takes longer than two seconds at this rate:
RATE = '4M'
LINE = re.compile(r'progress: ([\w-]+): (\d+)(?: of (\d+))? bytes(?: \(\d+%\))?, (\d+) bytes/s(, ended)?')


@pytest.fixture(name='holder')
def fixture_holder(folder):
    """A process with memory, and a folder for images."""
    with subprocess.Popen([sys.executable, PROGRAMS / 'hold.py', folder / 'ready', f'kept = os.urandom({SIZE})'], stdin=subprocess.DEVNULL,
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True) as process:
        wait_until((folder / 'ready').exists, 60, 'it does not begin')
        yield process
        process.kill()


def images_of(folder, name='images'):
    """A new one."""
    (folder / name).mkdir()
    return folder / name


def lines_of(log):
    """What the log says: (what, done, total, rate, whether it is the last)."""
    return [(what, int(done), int(total or 0), int(rate), bool(end)) for what, done, total, rate, end in LINE.findall(log.read_text(errors='replace'))]


def check_lines(lines, what):
    """They lead to the end, which is that of all."""
    assert len(lines) > 1, lines
    assert [line[4] for line in lines] == [False] * (len(lines) - 1) + [True], lines
    assert all(line[0] == what for line in lines) and [line[1] for line in lines] == sorted(line[1] for line in lines), lines
    assert lines[-1][1] >= SIZE and all(line[1] <= line[2] or not line[2] for line in lines), lines
    assert lines[-1][1] == lines[-1][2] or not lines[-1][2], lines


def statistics(build, images, name):
    """Of the dump or restore."""
    done = subprocess.run([build / 'crit', 'decode', '-i', images / f'stats-{name}'], check=True, capture_output=True, text=True)
    return json.loads(done.stdout)['entries'][0][name]


def call(criu, *words, **more):
    """Runs criu, which must succeed."""
    done = subprocess.run([criu, *map(str, words)], capture_output=True, text=True, timeout=120, check=False, **more)
    assert done.returncode == 0, done.stderr
    return done


def test_log_and_statistics(criu, build, folder, holder):
    """A pre-dump and a dump --live that are bounded: lines in the log, the same in the statistics. One that is short says nothing."""
    for number, (command, *options) in enumerate((('pre-dump',), ('dump', '--leave-running', '--live'))):
        images = images_of(folder, f'images{number}')
        call(criu, command, '-t', holder.pid, '-D', images, '-v4', '-o', 'log', '--bandwidth', RATE, *options)
        lines = lines_of(images / 'log')
        check_lines(lines, command)
        stats = statistics(build, images, 'dump')
        assert stats['moved'] == lines[-1][1] == stats['pages_written'] * 4096, (stats, lines)
        # Never faster than that, but for a small burst.
        assert stats['moved_us'] > (SIZE / (4 << 20) - 0.5) * 1e6, stats
    images = images_of(folder, 'quick')
    call(criu, 'pre-dump', '-t', holder.pid, '-D', images, '-v4', '-o', 'log', '--bandwidth', '100G')
    if not lines_of(images / 'log'):
        assert 'moved' not in statistics(build, images, 'dump')


def read_terminal(criu, *words):
    """Runs criu with a terminal as its standard error; returns what is shown there."""
    master, slave = pty.openpty()
    with subprocess.Popen([criu, *map(str, words)], stdin=subprocess.DEVNULL, stderr=slave, stdout=subprocess.DEVNULL) as process:
        os.close(slave)
        shown = b''
        with contextlib.suppress(OSError):
            while data := os.read(master, 4096):
                shown += data
        assert process.wait(60) == 0, shown
    os.close(master)
    return shown.decode()


def test_terminal(criu, folder, holder):
    """A bar that goes away, on a terminal only, and not if it is not wanted. What else is written there begins in a line of its own."""
    slow = ('pre-dump', '-t', holder.pid, '-D', images_of(folder), '--bandwidth', RATE)
    shown = read_terminal(criu, *slow)
    assert re.search(r'pre-dump \[#*\.*\] +\d+%  [\d.]+ \w+ of [\d.]+ \w+  [\d.]+ \w+/s  \d+:\d\d left', shown), shown
    assert shown.endswith('\r\x1b[K') and '\n' not in shown, shown
    assert not read_terminal(criu, *slow, '--no-progress')
    assert call(criu, *slow).stderr == ''
    shown = read_terminal(criu, *slow, '-v3')
    assert '[' in shown and re.search(r'left\r\x1b\[K\(\d\d\.\d{6}\)', shown), shown


def test_stream(criu, folder, holder):
    """Both ends of a stream tell it; each end can bound it."""
    there, here = images_of(folder, 'there'), images_of(folder, 'here')
    for sender, receiver in ((('--bandwidth', RATE), ()), ((), ('--bandwidth', RATE))):
        with subprocess.Popen([criu, 'dump', '-t', str(holder.pid), '-D', there, '--leave-running', '--stream=-', '-v4', '-o', 'log', *sender],
                              stdout=subprocess.PIPE) as dump:
            call(criu, 'receive', '-D', here, '--stream=-', '-v4', '-o', 'log', *receiver, stdin=dump.stdout)
        check_lines(lines_of(there / 'log'), 'dump')
        check_lines(lines_of(here / 'log'), 'receive')


def test_page_server(criu, folder, holder):
    """A dump to a page server, which does not know how much will come."""
    there, here = images_of(folder, 'there'), images_of(folder, 'here')
    ours, theirs = socket.socketpair()
    with subprocess.Popen([criu, 'page-server', '-D', here, '--ps-socket', str(theirs.fileno()), '-v4', '-o', 'log'],
                          pass_fds=[theirs.fileno()]) as server:
        theirs.close()
        done = call(criu, 'dump', '-t', holder.pid, '-D', there, '--leave-running', '--page-server', '--ps-socket', ours.fileno(), '-v4', '-o', 'log',
                    '--bandwidth', RATE, pass_fds=[ours.fileno()])
        ours.close()
        assert server.wait(60) == 0
    assert 'stand still' in (there / 'log').read_text(errors='replace') + done.stderr
    check_lines(lines_of(there / 'log'), 'dump')
    check_lines(lines_of(here / 'log'), 'page-server')
    assert {line[2] for line in lines_of(here / 'log')} == {0}


@pytest.mark.parametrize('wanted', [True, False])
def test_client(criu, folder, holder, wanted):
    """A client that asks for it is told, and does not answer; another one never hears of it."""
    images = images_of(folder)
    told, fd = [], rpc.open_dir(images)
    with rpc.start_swrk(criu, pass_fds=[fd]) as client:
        client.send({'type': 'SINGLE_PRE_DUMP', 'opts': {'images_dir_fd': fd, 'pid': holder.pid, 'log_level': 4, 'log_file': 'log', 'notify_scripts': True,
                                                         'bandwidth': 4 << 20, **({'tell_progress': True} if wanted else {})}})
        while (reply := client.receive())['type'] == 'NOTIFY':
            if reply['notify']['script'] == 'progress':
                told.append(reply['notify']['progress'])
            else:
                client.send({'type': 'NOTIFY', 'notify_success': True})
        assert reply['success'], reply
    os.close(fd)
    lines = [(one['what'], one['done'], one.get('total', 0), one['rate'], one['end']) for one in told]
    assert lines == (lines_of(images / 'log') if wanted else [])
    check_lines(lines_of(images / 'log'), 'pre-dump')


def test_interrupted(criu, folder, holder):
    """One that waits for its turn ends at once when it is told to."""
    images = images_of(folder)
    with subprocess.Popen([criu, 'pre-dump', '-t', str(holder.pid), '-D', images, '-v4', '-o', 'log', '--bandwidth', '64K'],
                          stderr=subprocess.DEVNULL) as dump:
        wait_until(lambda: lines_of(images / 'log') if (images / 'log').exists() else None, 60, 'it tells nothing')
        began = time.monotonic()
        dump.send_signal(signal.SIGTERM)
        assert dump.wait(60) == 1
        assert time.monotonic() - began < 60    # all of it takes three minutes
    assert not (images / 'inventory.img').exists()
    assert lines_of(images / 'log')[-1][4]


def test_options(criu, folder):
    """Where tasks would stand still for longer it is refused."""
    for options, said in ((('--bandwidth', '10K'), '64K or more'), (('--bandwidth', '1M'), 'stand still for longer'),
                          (('--bandwidth', '1M', '--stream'), 'stand still for longer')):
        done = subprocess.run([criu, 'dump', '-t', '1', '-D', folder, *options], capture_output=True, text=True, timeout=40, check=False)
        assert done.returncode == 1 and said in done.stderr, done.stderr
