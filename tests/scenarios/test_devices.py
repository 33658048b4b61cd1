# SPDX-License-Identifier: GPL-2.0-only
"""Device nodes that are elsewhere, or something else, at the restore: --evasive-devices."""
import os
import stat

from room import PROGRAMS, wait_until

def test_evasive(room, criu, folder):
    """The node is gone, then another device; the same one is below /dev."""
    device, go, output, images = (folder / name for name in ('device', 'go', 'output', 'images'))
    images.mkdir()
    os.mknod(device, stat.S_IFCHR | 0o600, os.makedev(1, 5))
    pid = room.start(output, '/usr/bin/python3', PROGRAMS / 'read-device.py', device, go, cwd='/')
    wait_until(lambda: output.exists() and 'ready' in output.read_text(), 5, 'the program does not get ready')

    def call(*words):
        done = room.run(criu, *words, '-D', images, '-v4', '-o', 'log')
        return done.returncode, (images / 'log').read_text()

    status, said = call('dump', '-t', pid)
    assert status == 0, said
    wait_until(lambda: pid not in room.pids(), 5)
    device.unlink()
    status, said = call('restore', '-d')
    assert status != 0 and 'put the file back where it was' in said, said
    os.mknod(device, stat.S_IFCHR | 0o600, os.makedev(1, 3))
    status, said = call('restore', '-d')
    assert status != 0 and 'it is another device now than 1:5: --evasive-devices' in said, said
    assert not room.pids()
    status, said = call('restore', '-d', '--evasive-devices', '--skip-file-rwx-check')
    assert status == 0 and f'{device} is found as /dev/' in said, said
    go.touch()
    wait_until(lambda: pid not in room.pids(), 5)
    assert output.read_text().endswith('10 zeros')
