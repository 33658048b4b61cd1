# SPDX-License-Identifier: GPL-2.0-only
"""Checkpoints made by CRIU 4.2 come to life here, and what was restored from them can be checkpointed again."""
import fcntl
import lzma
import os
import shutil
from pathlib import Path

import pytest

from room import wait_until, wants_avx512

COMPAT = Path(__file__).resolve().parents[1] / 'compat'
HOME = Path('/var/tmp/criu-fixture')    # the paths are in the images
ZOO_PID = 8021


@pytest.fixture
def zoo_home():
    """The files that the zoo had open, and the program itself. One test at a time, whoever runs them."""
    with open('/var/tmp/criu-fixture.lock', 'w', encoding='utf-8') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        shutil.rmtree(HOME, ignore_errors=True)
        (HOME / 'd').mkdir(parents=True)
        os.chmod(HOME / 'd', 0o755)
        (HOME / 'zoo').write_bytes(lzma.decompress((COMPAT / 'zoo/zoo.xz').read_bytes()))
        os.chmod(HOME / 'zoo', 0o755)
        for name, content, mode in (('file', '0123456789', 0o640), ('locked', '', 0o600)):
            (HOME / 'd' / name).write_text(content)
            os.chmod(HOME / 'd' / name, mode)
        os.mkfifo(HOME / 'd/fifo', 0o600)
        yield HOME / 'd'
        shutil.rmtree(HOME, ignore_errors=True)


def restore(room, criu, images):
    """Restores the zoo."""
    done = room.run(criu, 'restore', '-d', '--file-locks', '-D', images, '-W', room.folder, '-v4', '-o', 'restore.log')
    assert done.returncode == 0, done.stdout + (room.folder / 'restore.log').read_text()


def ask_zoo(room, home):
    """Lets the zoo look at itself."""
    room.run('/bin/kill', '-USR1', ZOO_PID)
    wait_until(lambda: (home / 'result').exists() and (home / 'result').read_text().endswith('\n'), 10, 'the zoo does not answer')
    assert (home / 'result').read_text() == 'ok 29\n'


@wants_avx512
def test_zoo(room, criu, zoo_home):
    """Threads, children, a zombie, sessions, all kinds of files: all 29 checks of the program itself hold."""
    restore(room, criu, COMPAT / 'zoo/images')
    ask_zoo(room, zoo_home)


@wants_avx512
def test_zoo_again(room, criu, zoo_home):
    """The same after two more checkpoints of our own."""
    images = COMPAT / 'zoo/images'
    for number in range(2):
        restore(room, criu, images)
        images = room.folder / f'images{number}'
        images.mkdir()
        done = room.run(criu, 'dump', '-t', ZOO_PID, '--file-locks', '-D', images, '-v4', '-o', 'dump.log')
        assert done.returncode == 0, done.stdout + (images / 'dump.log').read_text()
        wait_until(lambda: not room.pids(), 5, 'the zoo does not end')
    restore(room, criu, images)
    ask_zoo(room, zoo_home)
