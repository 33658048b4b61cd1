# SPDX-License-Identifier: GPL-2.0-only
"""--join-ns mnt and user: a tree is restored into a mount or user namespace that is there already."""
import fcntl
import os
import shlex
import signal
from pathlib import Path

import pytest

from room import text_or_nothing, wait_until
from rpc import start_swrk

NS_GET_USERNS, NS_GET_PARENT = 0xb701, 0xb702       # linux/nsfs.h
SLEEPS = ('sleep', '1000')


def await_program(room, pid, name='sleep'):
    """What starts in a room has become the program that is meant."""
    wait_until(lambda: (room.proc / str(pid) / 'comm').read_text() == f'{name}\n', 20)


def child_of(room, pid):
    file = room.proc / str(pid) / 'task' / str(pid) / 'children'
    return int(wait_until(lambda: file.read_text().split(), 20)[0])


def holder(room, folder, *words, maps=None):
    """A process that keeps namespaces, made by unshare(1); with a map its user namespace has that one."""
    pid = room.start(folder / 'holder', 'unshare', *words, *SLEEPS, cwd='/')
    await_program(room, pid)
    for name in ('uid_map', 'gid_map') if maps else ():
        (room.proc / str(pid) / name).write_text(maps)
    return pid


def lives_in(room, pid, kind):
    return os.readlink(room.proc / str(pid) / 'ns' / kind)


def owner_of(room, pid, kind):
    """The user namespace that one of a process belongs to."""
    with open(room.proc / str(pid) / 'ns' / kind, 'rb') as file:
        found = fcntl.ioctl(file, NS_GET_PARENT if kind == 'user' else NS_GET_USERNS)
    name = os.readlink(f'/proc/self/fd/{found}')
    os.close(found)
    return name


def status_of(room, pid, key):
    lines = (room.proc / str(pid) / 'status').read_text().splitlines()
    return next(line.split('\t')[1:] for line in lines if line.startswith(f'{key}:'))


def dump(room, criu, images, pid, *options):
    images.mkdir()
    done = room.run(criu, 'dump', '-t', pid, '-D', images, '-v4', '-o', 'dump.log', *options)
    assert done.returncode == 0, (images / 'dump.log').read_text()
    wait_until(lambda: pid not in room.pids(), 20)


def restore(room, criu, images, *options):
    """The pid of the root."""
    (images / 'pid').unlink(missing_ok=True)
    done = room.run(criu, 'restore', '-d', '-D', images, '-v4', '-o', 'restore.log', '--pidfile', 'pid', *options)
    assert done.returncode == 0, done.stdout + (images / 'restore.log').read_text()
    return int((images / 'pid').read_text())


# --- mount namespaces ---

def make_places(room, folder, words=('-m',)):
    """A directory where the room has one file and a namespace another, of the same name; the process that keeps the namespace."""
    place = folder / 'place'
    place.mkdir()
    script = f'mount -t tmpfs -o mode=0755 theirs {place} && echo theirs > {place}/file && exec sleep 1000'
    held = room.start(folder / 'holder', 'unshare', *words, '--propagation', 'private', 'sh', '-c', script, cwd='/')
    await_program(room, held)
    (place / 'file').write_text('before\n')
    return place, held


@pytest.mark.parametrize('given', ('pid', 'path'))
@pytest.mark.parametrize('own', ('', 'unshare -m --propagation private', 'unshare -U -r'), ids=('plain', 'own-mounts', 'own-users'))
def test_mounts(room, criu, folder, own, given):
    """
    All paths are those of the namespace: the open file, the current directory and the root; twice, unless it has a user namespace now that
    the other one does not belong to: then the second dump says so.
    """
    place, held = make_places(room, folder)
    pid = room.start(folder / 'output', *own.split(), 'sh', '-c', f'cd {place} && exec 3< file && exec sleep 1000', cwd='/')
    await_program(room, pid)
    for number in (1,) if '-U' in own else (1, 2):
        images = folder / f'images{number}'
        # The second time it lives in a mount namespace whose tmpfs would be saved, and made again.
        dump(room, criu, images, pid, '--ext-mount-map', 'auto')
        assert restore(room, criu, images, '--join-ns', f'mnt:{held}' if given == 'pid' else f'mnt:/proc/{held}/ns/mnt') == pid
        assert lives_in(room, pid, 'mnt') == lives_in(room, held, 'mnt')
        inner = room.run('nsenter', '-t', held, '-m', 'stat', '-c', '%d %i', place, f'{place}/file').stdout.split()
        for name, seen in (('cwd', inner[:2]), ('fd/3', inner[2:])):
            found = os.stat(room.proc / str(pid) / name)
            assert [str(found.st_dev), str(found.st_ino)] == seen, name
        assert os.readlink(room.proc / str(pid) / 'root') == '/'
    room.kill([pid, held])


def test_root_in_given_mounts(room, criu, folder):
    """--root is a directory of that namespace, in which all paths begin."""
    place, held = make_places(room, folder)
    inside = Path(f'{room.proc}/{held}/root{place}')
    for name in ('bin', 'lib', 'lib64', 'usr', 'etc', 'dev'):
        (inside / name).mkdir()
        if os.path.isdir(f'/{name}'):
            room.run('nsenter', '-t', held, '-m', 'mount', '--bind', f'/{name}', f'{place}/{name}')
    pid = room.start('/dev/null', *SLEEPS, cwd='/')
    await_program(room, pid)
    dump(room, criu, folder / 'images', pid)
    restore(room, criu, folder / 'images', '--join-ns', f'mnt:{held}', '--root', place)
    assert os.stat(room.proc / str(pid) / 'root').st_ino == os.stat(inside).st_ino
    assert (room.proc / str(pid) / 'root/file').read_text() == 'theirs\n'
    room.kill([pid, held])


# --- user namespaces ---

MAP = '0 100000 65536'
SHAPES = {'plain': '', 'namespaces': '-u -n -m -i', 'own-users': '-U -r -u -m', 'container': '-U -r -u -m -p -f --mount-proc',
          'privileged-container': '-u -m -p -f --mount-proc'}


def start_shape(room, folder, shape):
    """A parent with a child, in namespaces of its own."""
    words = SHAPES[shape].split()
    script = 'sleep 1000 & exec sleep 1000'
    pid = room.start(folder / 'output', 'unshare', *words, *(['setsid'] if '-f' in words else []), 'sh', '-c', script, cwd='/')
    if '-f' in words:
        pid = child_of(room, pid)
    await_program(room, pid)
    await_program(room, child_of(room, pid))
    return pid


@pytest.mark.parametrize('ids', ('', ',7,9'), ids=('root', 'chosen'))
@pytest.mark.parametrize('shape', SHAPES)
def test_users(room, criu, folder, shape, ids):
    """Its ids are those of the namespace, to which all belongs that is made for it; twice."""
    held = holder(room, folder, '-U', maps=MAP)
    pid = start_shape(room, folder, shape)
    made = [kind for kind in ('uts', 'net', 'mnt', 'ipc', 'pid') if f'-{kind[0]}' in SHAPES[shape].split()]
    numbers = status_of(room, pid, 'NSpid')[1:]
    for number in (1, 2):
        images = folder / f'images{number}'
        dump(room, criu, images, pid)
        pid = restore(room, criu, images, '--join-ns', f'user:{held}{ids}' if number == 1 else f'user:/proc/{held}/ns/user{ids}')
        for one in (pid, child_of(room, pid)):
            assert lives_in(room, one, 'user') == lives_in(room, held, 'user')
            assert {kind: owner_of(room, one, kind) for kind in made} == dict.fromkeys(made, lives_in(room, held, 'user'))
            assert status_of(room, one, 'Uid') == status_of(room, one, 'Gid') == ['100000'] * 4
        assert status_of(room, pid, 'NSpid')[1:] == numbers
    room.kill([pid, held])


@pytest.mark.parametrize('shape', ('plain', 'container'))
def test_all_given(room, criu, folder, shape):
    """Together with other kinds: what belongs to the user namespace, and what does not."""
    held = holder(room, folder, '-U', maps=MAP)
    # They belong to it, as those of a pod do.
    entered = room.start(folder / 'pod', 'nsenter', '-t', str(held), '-U', 'unshare', '-m', '-n', *SLEEPS, cwd='/')
    await_program(room, entered)
    other = holder(room, folder, '-u')
    pid = start_shape(room, folder, shape)
    given = {'user': held, 'mnt': entered, 'net': entered, 'uts': other}
    dump(room, criu, folder / 'images', pid, '--ext-mount-map', 'auto')
    pid = restore(room, criu, folder / 'images', *(word for kind, of in given.items() for word in ('--join-ns', f'{kind}:{of}')))
    for one in (pid, child_of(room, pid)):
        assert {kind: lives_in(room, one, kind) for kind in given} == {kind: lives_in(room, of, kind) for kind, of in given.items()}
    room.kill([pid, held, entered, other])


def test_given_pid_namespace_and_users(room, criu, folder):
    """A tree in the pid namespace of another one is given that, and a user namespace."""
    held = holder(room, folder, '-U', maps=MAP)
    first = child_of(room, room.start(folder / 'first', 'unshare', '-p', '--fork', 'sh', '-c', 'while :; do sleep 0.05; done', cwd='/'))
    entered = room.start(folder / 'visitor', 'nsenter', '-t', str(first), '-p', 'setsid', *SLEEPS, cwd='/')
    pid = child_of(room, entered)
    await_program(room, pid)
    key = f'pid[{os.stat(room.proc / str(first) / "ns/pid").st_ino}]:theirs'
    dump(room, criu, folder / 'images', pid, '--external', key)
    command = shlex.join([str(criu), 'restore', '-d', '-D', str(folder / 'images'), '-v4', '-o', 'restore.log', '--pidfile', 'pid',
                          '--join-ns', f'user:{held}', '--inherit-fd', 'fd[9]:theirs'])
    done = room.run('sh', '-c', f'exec 9< /proc/{first}/ns/pid; exec {command}')
    assert done.returncode == 0, (folder / 'images/restore.log').read_text()
    pid = int((folder / 'images/pid').read_text())
    assert lives_in(room, pid, 'pid') == lives_in(room, first, 'pid') and lives_in(room, pid, 'user') == lives_in(room, held, 'user')


def test_own_namespace(room, criu, folder):
    """criu's own user namespace: a tree that had another one lives in it afterwards."""
    words = ('unshare', '-U', '-r', '-u', '-m', 'setpriv', '--bounding-set', '-all', '--inh-caps', '-all')
    pid = room.start(folder / 'output', *words, *SLEEPS, cwd='/')
    await_program(room, pid)
    dump(room, criu, folder / 'images', pid)
    restore(room, criu, folder / 'images', '--join-ns', f'user:{1}')
    assert lives_in(room, pid, 'user') == lives_in(room, 1, 'user') != lives_in(room, pid, 'mnt')
    assert status_of(room, pid, 'Uid') == ['0'] * 4


@pytest.mark.parametrize('name', ('tree/family', 'creds/ids', 'thread/several', 'namespace/user-inner', 'file/pipe', 'memory/anonymous'))
def test_subjects(subject, name):
    """Subjects that pass all their checks in a namespace with the same ids."""
    run = subject(name)
    held = holder(run.room, run.folder, '-U', maps='0 0 65536')
    for _ in range(2):
        images = run.dump()
        wait_until(lambda: run.room.pids() == [held], 20)
        run.restore(images, '--join-ns', f'user:{held}')
        assert lives_in(run.room, run.pid, 'user') == lives_in(run.room, held, 'user')
    run.room.kill([held])
    run.release()


# --- as a child of who called ---

# Calls criu, and tells of itself, of its children, and of the parent of the root.
CALLER = '''
CRIU restore -d -S -D IMAGES -v4 -o restore.log --pidfile pid WORDS; code=$?
read children < /proc/$$/task/$$/children; echo code $code shell $$ children $children ended '''


def restore_for(room, criu, images, *options, env=None):
    """The code of criu, its caller and the caller's children afterwards: who calls by --restore-sibling has the root, and nothing else."""
    output = images / 'said'
    for file in (images / 'pid', output):
        file.unlink(missing_ok=True)
    script = CALLER.replace('CRIU', str(criu)).replace('IMAGES', str(images)).replace('WORDS', shlex.join(map(str, options)))
    caller = room.start(output, 'bash', '-c', f'{script}; exec sleep 1000', cwd='/', env=env)
    words = wait_until(lambda: 'ended' in output.read_text() and output.read_text().split(), 60, lambda: output.read_text()).copy()
    words = words[words.index('code'):]
    assert int(words[3]) == caller
    return int(words[1]), caller, [int(word) for word in words[words.index('children') + 1:words.index('ended')]]


@pytest.mark.parametrize('ids', ('', ',7,9'), ids=('root', 'chosen'))
@pytest.mark.parametrize('shape', SHAPES)
def test_sibling(room, criu, folder, shape, ids):
    """--restore-sibling: the root is a child of the caller, who sees nobody else; twice."""
    held = holder(room, folder, '-U', maps=MAP)
    pid = start_shape(room, folder, shape)
    for number in (1, 2):
        images = folder / f'images{number}'
        dump(room, criu, images, pid)
        code, caller, children = restore_for(room, criu, images, '--join-ns', f'user:{held}{ids}')
        assert code == 0, (images / 'restore.log').read_text()
        pid = int((images / 'pid').read_text())
        assert children == [pid]
        assert status_of(room, pid, 'PPid') == [str(caller)]
        for one in (pid, child_of(room, pid)):
            assert lives_in(room, one, 'user') == lives_in(room, held, 'user')
            assert status_of(room, one, 'Uid') == status_of(room, one, 'Gid') == ['100000'] * 4
        room.kill([caller])     # who would not wait for it
    room.kill([pid, held])


def test_sibling_in_given_pid_namespace(room, criu, folder):
    """The root is born into a pid namespace that is given, and goes to its user namespace by itself."""
    held = holder(room, folder, '-U', maps=MAP)
    first = child_of(room, room.start(folder / 'first', 'unshare', '-p', '--fork', 'sh', '-c', 'while :; do sleep 0.05; done', cwd='/'))
    pid = child_of(room, room.start(folder / 'visitor', 'nsenter', '-t', str(first), '-p', 'setsid', *SLEEPS, cwd='/'))
    await_program(room, pid)
    dump(room, criu, folder / 'images', pid, '--external', f'pid[{os.stat(room.proc / str(first) / "ns/pid").st_ino}]:theirs')
    # bash opens the file for criu, whose words these are.
    (folder / 'call').write_text(f'#!/bin/sh\nexec 9< /proc/{first}/ns/pid; exec {criu} "$@" --inherit-fd fd[9]:theirs\n')
    (folder / 'call').chmod(0o755)
    code, caller, children = restore_for(room, folder / 'call', folder / 'images', '--join-ns', f'user:{held}')
    assert code == 0, (folder / 'images/restore.log').read_text()
    pid = int((folder / 'images/pid').read_text())
    assert children == [pid] and status_of(room, pid, 'PPid') == [str(caller)]
    assert lives_in(room, pid, 'pid') == lives_in(room, first, 'pid') and lives_in(room, pid, 'user') == lives_in(room, held, 'user')


@pytest.mark.parametrize('point', ('restore/load/task', 'restore/arrive/namespace', 'restore/fill/namespace', 'restore/last/task'))
def test_sibling_fails(room, criu, folder, point):
    """The caller is told by the code of the process that it has started; nothing is left, and the next one works."""
    held = holder(room, folder, '-U', maps=MAP)
    pid = start_shape(room, folder, 'container')
    dump(room, criu, folder / 'images', pid)
    wait_until(lambda: room.pids() == [held], 20, 'something of the tree is still there')
    words = (room, criu, folder / 'images', '--join-ns', f'user:{held}')
    code, caller, children = restore_for(*words, env={**os.environ, 'CRIU_FAIL_AT': point})
    assert code == 1 and point in (folder / 'images/restore.log').read_text()
    for child in children:      # the caller has not waited for it
        assert status_of(room, child, 'State')[0].startswith('Z')
    room.kill([caller])
    wait_until(lambda: room.pids() == [held], 20, 'something is left of the restore')
    assert restore_for(*words)[0] == 0


@pytest.mark.parametrize('number', (signal.SIGTERM, signal.SIGKILL), ids=lambda number: number.name)
def test_sibling_is_ended(room, criu, folder, number):
    """A signal for the process that the caller has started ends all of it."""
    held = holder(room, folder, '-U', maps=MAP)
    pid = start_shape(room, folder, 'container')
    dump(room, criu, folder / 'images', pid)
    wait_until(lambda: room.pids() == [held], 20, 'something of the tree is still there')
    # It stops in a script when the root has been born.
    script = folder / 'script'
    script.write_text(f'#!/bin/sh\n[ $CRTOOLS_SCRIPT_ACTION != setup-namespaces ] || {{ touch {folder}/there; exec sleep 5; }}\n')
    script.chmod(0o755)
    words = ('-D', folder / 'images', '--join-ns', f'user:{held}', '--action-script', script)
    called = room.start(folder / 'output', criu, 'restore', '-d', '-S', '-v4', '-o', 'restore.log', *words, cwd='/')
    wait_until(lambda: (folder / 'there').exists(), 60, lambda: (folder / 'images/restore.log').read_text())
    room.run('kill', f'-{int(number)}', called)
    wait_until(lambda: called not in room.pids(), 30)
    wait_until(lambda: not {'sleep', 'sh'} & {text_or_nothing(room.proc / str(one) / 'comm').strip() for one in room.pids() if one != held}, 60)


# --- requests ---

@pytest.mark.parametrize('kind', ('mnt', 'user'))
def test_request(room, criu, folder, kind):
    """The same by a client of the service."""
    held = holder(room, folder, '-m') if kind == 'mnt' else holder(room, folder, '-U', maps=MAP)
    pid = start_shape(room, folder, 'plain')
    dump(room, criu, folder / 'images', pid)
    entry = {'ns': kind, 'ns_file': str(held), **({'extra_opt': '7,9'} if kind == 'user' else {})}
    with start_swrk(criu, room=room) as client:
        reply = client.call('RESTORE', {'images_dir': str(folder / 'images'), 'log_level': 4, 'join_ns': [entry]})
    assert reply and reply['success'], reply
    assert lives_in(room, pid, kind) == lives_in(room, held, kind)


# --- refusals ---

@pytest.mark.parametrize('option, words', [
    ('mnt:/proc/self/ns/net', 'that is no mnt namespace'),
    ('user:/proc/self/ns/mnt', 'that is no user namespace'),
    ('mnt:/dev/null', 'that is no mnt namespace'),
    ('user:FIFO', 'that is no user namespace'),
    ('mnt:/', 'that is no mnt namespace'),
    ('mnt:4194303', '--join-ns mnt:4194303: there is no such process'),
    ('user:4194303', '--join-ns user:4194303: there is no such process'),
    ('user:/nonesuch', 'No such file'),
    ('user:HOLDER,7,70000', 'the namespace has no such user or group'),
    ('user:EMPTY', 'has no number in the user namespace that is given'),
    ('user:HOLDER,7', 'with two numbers'),
    ('mnt:HOLDER,0,0', 'without UID,GID unless the namespace is user'),
])
def test_refused(room, criu, folder, option, words):
    """Before anything is made."""
    os.mkfifo(folder / 'fifo')
    held = holder(room, folder, '-U', maps=MAP)
    empty = holder(room, folder, '-U')
    pid = start_shape(room, folder, 'plain')
    dump(room, criu, folder / 'images', pid)
    wait_until(lambda: room.pids() == sorted((held, empty)), 20, 'something of the tree is still there')
    option = option.replace('HOLDER', str(held)).replace('EMPTY', str(empty)).replace('FIFO', str(folder / 'fifo'))
    done = room.run(criu, 'restore', '-d', '-D', folder / 'images', '--join-ns', option)
    assert done.returncode == 1 and words in done.stdout, done.stdout
    wait_until(lambda: room.pids() == sorted((held, empty)), 20, 'something is left of the restore')


def test_refused_beside_others(room, criu, folder):
    """A mount namespace within the tree."""
    held = holder(room, folder, '-U', '-m', maps=MAP)
    pid = room.start(folder / 'output', 'sh', '-c', 'unshare -m sleep 1000 & exec sleep 1000', cwd='/')
    await_program(room, pid)
    await_program(room, child_of(room, pid))
    dump(room, criu, folder / 'inner', pid)
    done = room.run(criu, 'restore', '-d', '-D', folder / 'inner', '--join-ns', f'mnt:{held}')
    assert done.returncode == 1 and 'lived in another mount namespace than the root of the tree' in done.stdout, done.stdout


POINTS = ('restore/arrive/namespace', 'restore/empty/namespace', 'restore/fill/namespace', 'restore/settle/namespace', 'restore/last/task')


@pytest.mark.parametrize('point', POINTS)
@pytest.mark.parametrize('shape', ('namespaces', 'container'))
def test_failures(room, criu, folder, shape, point):
    """Nothing is left of a restore that fails on the way, and the next one works."""
    held = holder(room, folder, '-U', maps=MAP)
    pid = start_shape(room, folder, shape)
    dump(room, criu, folder / 'images', pid)
    wait_until(lambda: room.pids() == [held], 20, 'something of the tree is still there')      # unshare(1) waits for its child
    mounts = room.mounts()
    command = (criu, 'restore', '-d', '-D', folder / 'images', '--join-ns', f'user:{held}')
    done = room.run(*command, env={**os.environ, 'CRIU_FAIL_AT': point})
    assert done.returncode == 1 and point in done.stdout, done.stdout
    wait_until(lambda: room.pids() == [held], 20, 'something is left of the restore')
    assert not room.changed_mounts(mounts)
    assert room.run(*command).returncode == 0
