# SPDX-License-Identifier: GPL-2.0-only
"""Paths and addresses that are others where a checkpoint is restored: --map-path, --tcp-map."""
import shutil
import time

import pytest

from room import PROGRAMS, wait_until

def checkpoint(room, criu, folder, pid, *options):
    """Dumps; returns the folder of the images."""
    images = folder / 'images'
    images.mkdir()
    done = room.run(criu, 'dump', '-t', pid, '-D', images, '-v4', '-o', 'dump.log', *options)
    assert done.returncode == 0, done.stdout + (images / 'dump.log').read_text(errors='replace')[-3000:]
    return images


def restore(room, criu, images, *options):
    """Restores, after verify has found nothing in the way."""
    said = room.run(criu, 'verify', images, *options).stdout
    assert 'A restore could begin.' in said, said
    done = room.run(criu, 'restore', '-d', '-D', images, '-v4', '-o', 'restore.log', *options)
    assert done.returncode == 0, done.stdout + (images / 'restore.log').read_text(errors='replace')[-3000:]


def test_paths(room, criu, folder):
    """A folder that has moved: files, a mapping, the working directory, a socket. The most particular map wins."""
    old, new, data = folder / 'old', folder / 'new', folder / 'data-moved'
    (old / 'inner').mkdir(parents=True)
    (old / 'data').write_bytes(b'before' + bytes(4090))
    pid = room.start(folder / 'out', '/usr/bin/python3', '-u', PROGRAMS / 'paths.py', old)
    wait_until(lambda: 'ready' in (folder / 'out').read_text(), 20, 'the program is not ready')
    images = checkpoint(room, criu, folder, pid)
    old.rename(new)
    (new / 'data').rename(data)
    said = room.run(criu, 'verify', images).stdout
    assert f'{old}/data' in said and 'could not begin' in said, said
    done = room.run(criu, 'restore', '-d', '-D', images)
    assert done.returncode == 1 and str(old) in done.stdout, done.stdout
    restore(room, criu, images, '--map-path', f'{old}/={new}', '--map-path', f'{old}/data={data}')
    said = room.run('/usr/bin/python3', PROGRAMS / 'ask-socket.py', new / 'socket').stdout.split()
    assert said == [f'{new}/inner', str(data), str(data), str(new), f'{new}/socket']
    assert data.read_bytes()[:6] == b'aftere'
    assert not old.exists()


@pytest.mark.parametrize('family, old, new', [(2, '127.0.0.1', '127.0.0.9'), (10, 'fd00::1', 'fd00::9'), (10, '::ffff:127.0.0.1', '127.0.0.9')],
                         ids=['IPv4', 'IPv6', 'mapped'])
def test_addresses(room, criu, folder, family, old, new):
    """A listener, a connection within the tree and a UDP socket get other addresses; the listener another port, too."""
    for address in ('fd00::1', 'fd00::9'):
        room.run('ip', 'addr', 'add', f'{address}/128', 'dev', 'lo', 'nodad')
    go = folder / 'go'
    pid = room.start(folder / 'out', '/usr/bin/python3', '-u', PROGRAMS / 'talk-to-itself.py', family, old, go)
    wait_until(lambda: 'ready' in (folder / 'out').read_text(), 20, 'the program is not ready')
    images = checkpoint(room, criu, folder, pid, '--tcp-established')
    plain = old.replace('::ffff:', '')
    first = f'[{plain}]:7000=[{new}]:7007' if ':' in plain else f'{plain}:7000={new}:7007'
    restore(room, criu, images, '--tcp-established', '--tcp-map', first, '--tcp-map', f'{plain}={new}')
    go.touch()
    wait_until(lambda: len((folder / 'out').read_text().splitlines()) >= 3, 20, 'nothing comes through')
    shown = f'::ffff:{new}' if 'ffff' in old else new
    assert (folder / 'out').read_text().splitlines()[1:] == ['sent before', f'answer {shown} 7007 {shown} 7007 {shown} 7002']
    room.run('/usr/bin/python3', '-c', f'import socket; socket.create_connection(("{new}", 7007)).recv(1)')
    wait_until(lambda: f"accepted ('{shown}', 7007)" in (folder / 'out').read_text(), 20, 'the listener is not at its new address')


@pytest.mark.parametrize('option, value', [('--map-path', 'a=/b'), ('--map-path', '/a'), ('--map-path', '/a=b'), ('--tcp-map', '10.0.0.1'),
                                           ('--tcp-map', '10.0.0.1=::1'), ('--tcp-map', '10.0.0.1=10.0.0.2:80'), ('--tcp-map', ':0=:80'),
                                           ('--tcp-map', ':80=:99999'), ('--tcp-map', '[::1=[::2]')])
def test_values(room, criu, folder, option, value):
    """What makes no sense is said."""
    done = room.run(criu, 'restore', '-D', folder, option, value)
    assert done.returncode != 0 and f'{option}: invalid value "{value}"' in done.stdout, done.stdout


def test_lock_of_old_addresses(room, criu, folder):
    """The rules that keep packets from the old addresses are gone after the restore at new ones."""
    if not shutil.which('iptables'):
        pytest.skip('there is no iptables')
    pid = room.start(folder / 'out', '/usr/bin/python3', '-u', PROGRAMS / 'serve-one.py')
    room.start(folder / 'client', '/usr/bin/python3', '-u', PROGRAMS / 'connect-again.py')
    wait_until(lambda: 'ready' in (folder / 'out').read_text(), 20, 'the program is not ready')
    images = checkpoint(room, criu, folder, pid, '--tcp-established', '--network-lock', 'iptables')
    assert '127.0.0.1' in room.run('iptables-save').stdout
    restore(room, criu, images, '--tcp-established', '--tcp-map', '127.0.0.1=127.0.0.9')
    time.sleep(0.1)
    assert '127.0.0' not in room.run('iptables-save').stdout
