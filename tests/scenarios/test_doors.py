# SPDX-License-Identifier: GPL-2.0-only
"""A server to which new clients connect all the time can be saved at any moment, and no client is refused or forgotten."""
import re

from room import PROGRAMS, wait_until

def count(folder):
    """How many times each client at least was served."""
    return int((folder / 'count').read_text()) if (folder / 'count').exists() else 0


def test_busy_listener(room, criu, folder):
    """Dumps in any moment; the server lives on. Each of them leaves the doors open."""
    room.run('ip', 'link', 'set', 'lo', 'up')
    server = room.start('/dev/null', '/usr/bin/python3', PROGRAMS / 'one-answer-server.py', folder)
    wait_until((folder / 'port').exists, 20)
    room.start('/dev/null', '/usr/bin/python3', PROGRAMS / 'many-callers.py', (folder / 'port').read_text(), folder)
    for number in range(8):
        before = count(folder)
        wait_until(lambda before=before: count(folder) > before, 20, 'no client is served')
        images = folder / f'images{number}'
        images.mkdir()
        done = room.run(criu, 'dump', '-t', server, '-D', images, '-R', '--tcp-established', '-v4', '-o', 'dump.log')
        assert done.returncode == 0, re.findall('Error.*|.*kept.*', (images / 'dump.log').read_text())
        assert 'is kept waiting' in (images / 'dump.log').read_text()
        tables = room.run('nft', 'list', 'tables')
        assert not re.search('CRIU', tables.stdout), tables.stdout
    (folder / 'enough').touch()
    wait_until((folder / 'over').exists, 20, 'a client waits for ever')
    assert not (folder / 'wrong').exists(), (folder / 'wrong').read_text()
    room.kill([server])
