# SPDX-License-Identifier: GPL-2.0-only
"""Somebody stops and continues a program all the time while it is checkpointed."""
import shutil

from room import PROGRAMS

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
