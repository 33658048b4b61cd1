# SPDX-License-Identifier: GPL-2.0-only
"""What the kernel tells of all at once is not asked for one by one: the images are the same as if it were."""
import json
import os
import platform
import re
import subprocess

import pytest

from room import PROGRAMS, wait_until

PYTHON = '/usr/bin/python3'
ONLY_LOOKED_AT = (84,)      # SO_INQ: no call tells it


@pytest.fixture
def sockets(room):
    """A program that has all options of unix sockets."""
    pid = room.start(room.folder / 'out', PYTHON, PROGRAMS / 'unix-options-all.py', room.folder)
    wait_until((room.folder / 'inside').exists, 20, lambda: (room.folder / 'out').read_text())
    return pid


def read_files(crit, path):
    """What files.img has, without options that nobody can be asked for."""
    image = json.loads(subprocess.run([crit, 'decode', '-i', path], check=True, stdout=subprocess.PIPE).stdout)
    for entry in image['entries']:
        options = entry.get('usk', {}).get('opts', {})
        more = [one for one in options.pop('more', ()) if one['option'] not in ONLY_LOOKED_AT]
        if more:
            options['more'] = more
    return image


def dump(room, criu, build, pid, name, *before):
    """Returns (what is in files.img, log) of a dump that lets it run on."""
    images = room.folder / name
    images.mkdir()
    done = room.run(*before, criu, 'dump', '-t', pid, '-D', images, '-R', '-v4', '-o', 'log', env=dict(os.environ))
    log = (images / 'log').read_text(errors='replace')
    assert done.returncode == 0, done.stdout + log
    return read_files(build / 'crit', images / 'files.img'), log


def test_same_options(room, criu, build, sockets):
    """Told by the kernel's memory, or asked for one by one."""
    told, log = dump(room, criu, build, sockets, 'told')
    asked, log_of_asked = dump(room, criu, build, sockets, 'asked', PYTHON, PROGRAMS / 'without-bpf.py')
    assert 'sockets are like a fresh one' not in log_of_asked
    found = re.search(r'(\d+) of (\d+) unix sockets are like a fresh one', log)
    if not found:
        pytest.skip('this kernel does not tell of its structures')
    alike, known = map(int, found.groups())
    assert known >= int((room.folder / 'inside').read_text()) and alike < known, log
    # Before Linux 6.16 some options are elsewhere, and are asked for.
    assert alike > 100 or tuple(map(int, re.findall(r'\d+', platform.release())[:2])) < (6, 16), log
    assert told == asked


def test_same_descriptors(room, criu, build):
    """Pipes, sockets and their owners."""
    pid = room.start(room.folder / 'out', PYTHON, PROGRAMS / 'descriptors-many.py', room.folder)
    wait_until((room.folder / 'inside').exists, 20, lambda: (room.folder / 'out').read_text())
    told, log = dump(room, criu, build, pid, 'told')
    asked, log_of_asked = dump(room, criu, build, pid, 'asked', PYTHON, PROGRAMS / 'without-bpf.py')
    assert 'descriptors were told at once' not in log_of_asked
    assert told == asked
    for pattern in ('fdinfo-*.img', 'pipes-data.img', 'fifo-data.img'):
        names = [path.name for path in (room.folder / 'told').glob(pattern)]
        assert names
        for name in names:
            assert (room.folder / 'told' / name).read_bytes() == (room.folder / 'asked' / name).read_bytes(), name
    if 'descriptors were told at once' not in log:
        pytest.skip('this kernel does not tell of its structures')
