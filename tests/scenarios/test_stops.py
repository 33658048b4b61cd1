# SPDX-License-Identifier: GPL-2.0-only
"""Somebody stops and continues a program all the time while it is checkpointed."""
import shutil

from room import PROGRAMS, wait_until

PYTHON = '/usr/bin/python3'


def test_stops(room, criu, folder):
    """Every dump goes well, and so does every restore, whichever moment was hit."""
    pid = room.start(folder / 'work.out', PYTHON, PROGRAMS / 'work.py')
    hammer = room.start(folder / 'hammer.out', PYTHON, PROGRAMS / 'stop-and-continue.py', pid)
    images = folder / 'images'
    for i in range(30):
        images.mkdir()
        kill = i % 3 == 0
        done = room.run(criu, 'dump', '-t', pid, '-D', images, *([] if kill else ['--leave-running']))
        assert done.returncode == 0, done.stdout
        if kill:
            done = room.run(criu, 'restore', '-d', '-D', images)
            assert done.returncode == 0, done.stdout
        shutil.rmtree(images)
    room.kill([hammer])
    # Whatever it was hit by last, it goes on.
    room.run('/bin/kill', '-CONT', pid)
    assert room.run('/bin/kill', '-TERM', pid).returncode == 0
    assert not (folder / 'hammer.out').read_text()


def test_ending_processes(room, criu, folder):
    """One that is ending, but has to wait for others of its pid namespace, is refused as such; in a tree it is waited for."""
    room.start(folder / 'tracer.out', PYTHON, PROGRAMS / 'hold-dying-child.py', folder)
    wait_until((folder / 'pids').exists, 20, lambda: (folder / 'tracer.out').read_text())
    root, inner, child = (folder / 'pids').read_text().split()
    images = folder / 'images'
    images.mkdir()
    done = room.run(criu, 'dump', '-t', inner, '-D', images)
    assert done.returncode == 1 and 'it is ending: there is nothing to save' in done.stdout and 'in time' not in done.stdout, done.stdout
    assert 'it is ending' in room.run(criu, 'check', '--tree', inner).stdout
    room.start(folder / 'dump.out', criu, 'dump', '-t', root, '-D', images, '--leave-running')
    wait_until(lambda: '\nState:\tt' in (room.proc / root / 'status').read_text(), 20, 'the dump does not begin')
    assert child in room.run('/bin/ls', '/proc').stdout.split()
    (folder / 'go').touch()
    wait_until((images / 'inventory.img').exists, 30, lambda: (folder / 'dump.out').read_text())
