# SPDX-License-Identifier: GPL-2.0-only
"""Programs that want to know when they are checkpointed and restored (docs/TELL.md), here one in Python, told by a signal."""
import os
import re
import shutil
import subprocess

import pytest

from room import PROGRAMS, wait_until

DUMP, GOES_ON, RESTORED = '1', '2', '3'


@pytest.fixture
def hearing(room, folder, criu):
    """start(answer): a program; returns (pid, what it heard, criu(command, options))."""
    def start(answer):
        heard = folder / 'heard'
        pid = room.start(folder / 'out', '/usr/bin/python3', PROGRAMS / 'hear.py', heard, answer)
        wait_until(heard.exists, 10, lambda: (folder / 'out').read_text())
        images = folder / 'images'
        images.mkdir()

        def call(command, *options, **more):
            done = room.run(criu, command, '-D', images, '-v3', *options, **more)
            return done.returncode, done.stdout
        return pid, lambda: heard.read_text().splitlines(), call
    return start


def test_story(hearing, room):
    """Each change once, in order, before it happens or as soon as it runs; a check tells nothing."""
    pid, heard, call = hearing('yes')
    assert call('check', '-t', pid)[0] == 0 and heard() == []
    status, said = call('dump', '-t', pid, '-R')
    assert status == 0 and f'task {pid} is told' in said, said
    wait_until(lambda: heard() == [f'{DUMP} 0', f'{GOES_ON} 0'], 10, heard)
    assert call('dump', '-t', pid)[0] == 0
    assert heard()[2:] == [f'{DUMP} 0']
    for number in (4, 5):
        wait_until(lambda: not room.pids(), 10, 'it does not end')
        status, said = call('restore', '-d')
        assert status == 0, said
        wait_until(lambda: len(heard()) == number, 10, heard)     # pylint: disable=cell-var-from-loop
        assert heard()[-1] == f'{RESTORED} 1'
        room.kill([pid])


def test_failed_dump(hearing, room):
    """Told that nothing became of it."""
    pid, heard, call = hearing('yes')
    status, said = call('dump', '-t', pid, env={**os.environ, 'CRIU_FAIL_AT': 'dump/inventory'})
    assert status == 1, said
    wait_until(lambda: heard() == [f'{DUMP} 0', f'{GOES_ON} 0'], 10, heard)
    room.kill([pid])


def test_not_now(hearing, room):
    """Who says no is not dumped, unless nobody asks."""
    pid, heard, call = hearing('no')
    status, said = call('dump', '-t', pid)
    assert status == 1 and 'does not want to be dumped now' in said, said
    wait_until(lambda: heard() == [f'{DUMP} 0', f'{GOES_ON} 0'], 10, heard)
    status, said = call('dump', '-t', pid, '--tell-timeout', 0)
    assert status == 0 and len(heard()) == 2, said
    wait_until(lambda: not room.pids(), 10, 'it does not end')


def test_no_answer(hearing, room):
    """Waited for, but not for ever."""
    pid, heard, call = hearing('nothing')
    status, said = call('dump', '-t', pid, '--tell-timeout', 1)
    assert status == 0 and re.search(f'task {pid} was told of the dump and has not answered within 1 second', said), said
    assert heard() == [f'{DUMP} 0']
    wait_until(lambda: not room.pids(), 10, 'it does not end')


def test_java(room, folder, criu):
    """The example for Java, in the manner of CRaC: refuses once, then is told of each dump and restore."""
    if not shutil.which('javac'):
        pytest.skip('javac is missing')
    tell = PROGRAMS.parents[1] / 'examples/tell'
    subprocess.run(['cc', '-Wall', '-Werror', '-D_GNU_SOURCE', '-o', folder / 'tell-file', tell / 'tell-file.c'], check=True)
    subprocess.run(['javac', '-Xlint:all', '-Werror', '-d', folder, tell / 'CriuTell.java'], check=True)
    pid = room.start(folder / 'out', folder / 'tell-file', 'java', '-Xmx64m', '-XX:-UsePerfData', '-cp', folder, 'CriuTell', 'busy')

    def said():
        return (folder / 'out').read_text().splitlines()

    def call(command, *options):
        done = room.run(criu, command, '-D', folder, *options)
        return done.returncode, done.stdout

    wait_until(lambda: said() == ['here'], 10, said)
    status, text = call('dump', '-t', pid, '--tell-timeout', '100')
    assert status == 1 and 'does not want to be dumped now' in text, text
    wait_until(lambda: said()[1:] == ['not now: busy', 'it is over'], 10, said)
    for number in (1, 2):
        status, text = call('dump', '-t', pid, '--tell-timeout', '100')
        assert status == 0 and said()[-1] == 'a dump begins', text
        wait_until(lambda: not room.pids(), 10, 'it does not end')
        status, text = call('restore', '-d')
        assert status == 0, text
        wait_until(lambda: said()[-1] == f'restored {number}', 10, said)     # pylint: disable=cell-var-from-loop
    room.kill([pid])
