# SPDX-License-Identifier: GPL-2.0-only
"""Programs of the distribution that read and write by io_uring lose nothing when they are dumped and restored twice. Skips what is not
installed."""
import os
import re
import shutil
import subprocess

import pytest

from room import PROGRAMS, wait_until

pytestmark = pytest.mark.skipif(tuple(int(part) for part in os.uname().release.split('.')[:2]) < (6, 16),
                                reason='it takes Linux 6.16 to save an io_uring')
FIO = {'fixed': ['--rw=randrw', '--direct=1', '--fixedbufs=1'],
       'files': ['--rw=randrw', '--registerfiles=1', '--nonvectored=0'],
       'sqpoll': ['--rw=randrw', '--sqthread_poll=1', '--registerfiles=1'],
       'verify': ['--rw=randwrite', '--verify=crc32c', '--verify_backlog=64'],
       'workers': ['--rw=randwrite', '--verify=crc32c', '--verify_backlog=64', '--force_async=4']}


def rings(room):
    """How many requests each io_uring has taken, of all processes of the room."""
    found = {}
    for pid in room.pids():
        try:
            for entry in (room.proc / f'{pid}/fd').iterdir():
                if 'io_uring' in os.readlink(entry):
                    # The kernel tells nothing of a ring that somebody uses in this moment.
                    path = room.proc / f'{pid}/fdinfo/{entry.name}'
                    found[pid, entry.name] = int(wait_until(lambda: re.search(r'CachedSqHead:\s+(\d+)', path.read_text()), 10)[1])  # pylint: disable=cell-var-from-loop
        except OSError:
            pass        # it has just ended
    return found


def wait_until_they_move(room):
    """All rings that are there take more requests."""
    before = rings(room)
    assert before
    wait_until(lambda: all(rings(room).get(ring, 0) != count for ring, count in before.items()), 60, f'a ring stands still: {before}')


def dump_and_restore(room, criu, folder, pid):
    """Twice."""
    for i in range(2):
        images = folder / f'images-{i}'
        images.mkdir()
        for command in (['dump', '-t', pid, '--timeout', 100], ['restore', '-d']):
            done = room.run(criu, *command, '-D', images, '--file-locks')
            assert done.returncode == 0, done.stdout
        wait_until_they_move(room)
        shutil.rmtree(images)


@pytest.mark.parametrize('mode', FIO)
def test_fio(room, criu, folder, mode):
    """In an IPC namespace of its own, as its memory of System V would end with it; it ends when it is asked to, without an error."""
    if not shutil.which('fio'):
        pytest.skip('fio is not installed')
    output = folder / 'output'
    pid = room.start(output, 'fio', '--name=job', f'--directory={folder}', '--size=8m', '--time_based', '--runtime=10000', '--bs=4k',
                     '--ioengine=io_uring', '--iodepth=16', *FIO[mode], house='ipc')
    wait_until(lambda: rings(room), 30, 'fio does not begin')
    wait_until_they_move(room)
    dump_and_restore(room, criu, folder, pid)
    room.run('kill', '-INT', pid)
    wait_until(lambda: 'Run status' in output.read_text(), 60, lambda: output.read_text())
    assert 'err= 0' in output.read_text() and 'verify:' not in output.read_text(), output.read_text()


@pytest.mark.parametrize('direct', ['on', 'off'])
def test_qemu(room, criu, folder, direct):
    """A machine writes to its disk and reads it again."""
    if not shutil.which('qemu-system-x86_64'):
        pytest.skip('qemu is not installed')
    disk, serial = folder / 'disk', folder / 'serial'
    subprocess.run(['as', '--32', PROGRAMS / 'boot-sector.S', '-o', folder / 'object'], check=True)
    subprocess.run(['ld', '-m', 'elf_i386', '-Ttext', '0x7c00', '--oformat', 'binary', folder / 'object', '-o', disk], check=True)
    os.truncate(disk, 1 << 20)
    pid = room.start(folder / 'output', 'qemu-system-x86_64', '-accel', 'tcg', '-m', 32, '-display', 'none', '-monitor', 'none',
                     '-serial', f'file:{serial}', '-blockdev', f'driver=file,filename={disk},node-name=file,aio=io_uring,cache.direct={direct}',
                     '-blockdev', 'driver=raw,file=file,node-name=disk', '-device', 'virtio-blk-pci,drive=disk')
    wait_until(lambda: serial.exists() and serial.read_text().count('.') > 1, 60, lambda: (folder / 'output').read_text())
    dump_and_restore(room, criu, folder, pid)
    before = serial.read_text().count('.')
    wait_until(lambda: serial.read_text().count('.') > before + 1, 60, 'the machine stands still')
    assert 'X' not in serial.read_text()
