# SPDX-License-Identifier: GPL-2.0-only
"""Trees with a user namespace of their own: how people make them, and who owns it."""
import fcntl
import os
import shutil
import struct
from pathlib import Path

import pytest

from room import wait_until
from ways import lazy

NS_GET_OWNER_UID = 0xb704       # linux/nsfs.h
PERSON = ('setpriv', '--reuid', '1000', '--regid', '1000', '--groups', '1000,27')
WAYS = {'map-root': (*PERSON, 'unshare', '--user', '--map-root-user'), 'map-self': (*PERSON, 'unshare', '--user', '--map-current-user'),
        'no-map': (*PERSON, 'unshare', '--user'), 'of-root': ('unshare', '--user', '--map-root-user'),
        'others': (*PERSON, 'unshare', '--user', '--map-root-user', '--net', '--uts', '--ipc', '--cgroup')}


def facts(proc):
    """What a process has in its user namespace, and whom the namespace belongs to."""
    status = dict(line.split(':\t', 1) for line in (proc / 'status').read_text().splitlines() if ':\t' in line)
    with open(proc / 'ns/user', 'rb') as file:
        owner, = struct.unpack('I', fcntl.ioctl(file, NS_GET_OWNER_UID, bytes(4)))
    return {'owner': owner, **{key: status[key] for key in ('Uid', 'Gid', 'Groups', 'CapPrm', 'CapEff', 'CapBnd', 'CapInh', 'CapAmb')},
            **{name: (proc / name).read_text() for name in ('uid_map', 'gid_map', 'setgroups')}}


def dump_and_restore_twice(room, criu, folder, pid):
    """Comes back after each restore."""
    for number in (1, 2):
        images = folder / f'images{number}'
        images.mkdir()
        for command, options in (('dump', ('-t', str(pid))), ('restore', ('-d',))):
            done = room.run(criu, command, '-D', images, '-v4', '-o', f'{command}.log', *options)
            assert done.returncode == 0, done.stdout + (images / f'{command}.log').read_text()
            if command == 'dump':
                wait_until(lambda: pid not in room.pids(), 20)
        yield number


@pytest.mark.parametrize('way', WAYS)
def test_unshare(room, criu, folder, way):
    """As unshare(1) makes them, for root and for people with groups that are not to be seen in there; saved and restored twice."""
    if not shutil.which('setpriv'):
        pytest.skip('there is no setpriv')
    pid = room.start(folder / 'output', *WAYS[way], 'sleep', '1000', cwd='/')
    proc = Path(f'/proc/{room.first}/root/proc/{pid}')
    wait_until(lambda: (proc / 'comm').read_text() == 'sleep\n', 20)
    before = facts(proc)
    assert before['owner'] == (0 if way == 'of-root' else 1000)
    for _ in dump_and_restore_twice(room, criu, folder, pid):
        assert facts(proc) == before
        assert os.readlink(proc / 'ns/user') != os.readlink('/proc/self/ns/user')
    assert [p for p in room.pids() if p != pid] == []


@pytest.mark.parametrize('name, house', (('memory/anonymous', 'user'), ('thread/several', 'user,pid'), ('namespace/user-inner', '')))
def test_lazy(subject, name, house):
    """Memory that follows: nobody in a user namespace may make a userfaultfd for system calls by themselves."""
    run = subject(name, house=house) if house else subject(name)
    lazy(run)
    run.release()


def mounts_of(proc):
    """What is seen at each place: its file system and options, without the numbers that a restore may change."""
    lines = [line.split() for line in (proc / 'mountinfo').read_text().splitlines()]
    return {line[4]: (line[3], line[5], *line[line.index('-'):]) for line in lines}


@pytest.mark.parametrize('person', ((), PERSON), ids=('root', 'person'))
def test_bubblewrap(room, criu, folder, person):
    """A sandbox of bwrap(1), whose namespaces belong to a user namespace in which nobody lives any more; saved and restored twice."""
    if not shutil.which('setpriv') or not shutil.which('bwrap'):
        pytest.skip('there is no setpriv or no bwrap')
    pid = room.start(folder / 'output', *person, 'bwrap', '--unshare-all', '--ro-bind', '/', '/', '--dev', '/dev', '--proc', '/proc', '--tmpfs', '/tmp',
                     '--uid', '1234', '--gid', '1234', 'sleep', '1000', cwd='/')
    seen = Path(f'/proc/{room.first}/root/proc')

    def found():
        # A process of criu may not be reaped yet.
        return {comm: seen / str(p) for p in room.pids() if not (comm := (seen / str(p) / 'comm').read_text()).startswith('criu')}
    wait_until(lambda: 'sleep\n' in found(), 20)
    before = {name: (facts(proc), mounts_of(proc)) for name, proc in found().items()}
    for _ in dump_and_restore_twice(room, criu, folder, pid):
        assert {name: (facts(proc), mounts_of(proc)) for name, proc in found().items()} == before


def test_others_take_pids(subject, room, folder):
    """Tasks in there cannot choose their pids: those of a program with threads and children come back while others start processes all the time."""
    run = subject('thread/several', house='user')
    images = run.dump()
    run.await_gone()
    busy = room.start(folder / 'busy', '/bin/sh', '-c', 'while [ ! -e stop ]; do /bin/true; done', cwd=folder)
    try:
        run.restore(images)
    finally:
        (folder / 'stop').touch()
    wait_until(lambda: busy not in room.pids(), 20)
    run.compare('after the restore')
    run.release()
