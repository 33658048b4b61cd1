# SPDX-License-Identifier: GPL-2.0-only
"""criu migrate as a request, by libcriu."""
import os
import re
import subprocess

import pytest

from machines import PORTS, make_pair
from room import PROGRAMS, wait_until
from test_libcriu import ask, installed  # pylint: disable=unused-import


@pytest.fixture(name='pair')
def fixture_pair(room, build, criu, folder):
    """Two rooms with a cable."""
    with make_pair(room, build, criu, folder) as pair:
        yield pair


@pytest.fixture(name='move')
def fixture_move(installed, pair):  # pylint: disable=redefined-outer-name
    """The function that lets a client of libcriu move the program."""
    _, env = installed
    flags = ask(env, '--cflags', '--libs')
    library = next(flag[2:] for flag in flags if flag.startswith('-L'))
    program = pair.folder / 'migrate'
    subprocess.run(['cc', '-Wall', '-Werror', '-D_GNU_SOURCE', '-o', program, PROGRAMS / 'migrate-by-libcriu.c', *flags], check=True)
    env = {**os.environ, 'LD_LIBRARY_PATH': str(library)}

    def move(place, *words):
        images = pair.folder / f'images{next(PORTS)}'
        images.mkdir()
        said = pair.here.room.run(program, pair.here.criu, images, place, pair.pid, *words, env=env).stdout
        pair.said = said + ''.join(path.read_text(errors='replace') for path in images.glob('*.log'))
        pair.names.append(pair.said)
        found = re.search(r'^result (-?\d+) id (\S*) pid (\d+) rounds (\d+) bytes (\d+) us (\d) stood (\d) paused (\d)$', said, re.M)
        assert found, pair.said
        return found.groups()
    return move


def listen(pair):
    """The other side waits; where."""
    port = next(PORTS)
    pair.there.listen(port)
    return f'tcp://{pair.there.address}:{port}'


def arrives(pair):
    """It runs there."""
    wait_until(pair.there.is_clean, 30, lambda: f'left there: {pair.there.room.pids()}')
    pair.is_there()


@pytest.mark.parametrize('how', ('plain', 'post-copy', 'fresh'))
def test_by_libcriu(pair, move, how):
    """There and back, with what has come of it in numbers, and the actions of both."""
    for _ in range(2):
        result, name, pid, rounds, size, *measured = move(listen(pair), how)
        assert (result, pid, rounds, measured) == ('0', str(pair.pid), '2', ['1', '1', '1']), pair.said
        assert len(name) == 36 and int(size) > 4 << 20, pair.said
        assert pair.said.count('told post-migrate') == 1 and 'told network-lock' not in pair.said, pair.said
        assert ('The other side can take it' in pair.said) == (how != 'fresh')
        arrives(pair)


def test_failure(pair, move):
    """Nobody listens: it runs on. Who asks is told."""
    result, name, pid, *_ = move(f'tcp://{pair.there.address}:1')
    assert (result, pid) == ('1', '0') and len(name) == 36 and 'told migrate-failed' in pair.said, pair.said
    pair.goes_on()
    place = listen(pair)
    assert move(place, name)[:3] == ('1', name, '0'), pair.said
    assert move('nowhere://')[0] == '1', pair.said
    pair.is_here()


def test_options_travel(pair, move):
    """What the request says of the restore is known there."""
    there = pair.there.room
    done = there.run('/bin/sh', '-ec', f'echo {pair.pid - 1} > /proc/sys/kernel/ns_last_pid; sleep 1000 > /dev/null 2>&1 & echo $!')
    assert done.stdout.strip() == str(pair.pid), done.stdout
    place = listen(pair)
    assert move(place)[0] == '1' and f'the pid {pair.pid} is in use by sleep' in pair.said, pair.said
    result, _, pid, *_ = move(place, 'new-pidns')
    assert (result, pid) == ('0', '0'), pair.said
    wait_until(lambda: not pair.here.programs() and len(pair.there.programs()) == 1, 20)
    pair.goes_on()
