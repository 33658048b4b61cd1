# SPDX-License-Identifier: GPL-2.0-only
"""restore --copies: one checkpoint, many programs that run on from there and share the memory that they leave as it was."""
import json
import os
import signal
import subprocess

import pytest

from room import PROGRAMS, text_or_nothing, wait_until
from rpc import start_swrk

@pytest.fixture
def copied(folder, room, criu):
    """The images of tests/programs/copied.py, and where its copies write."""
    (folder / 'env').write_text('nobody\n')
    pid = room.start(folder / 'said', '/usr/bin/python3', PROGRAMS / 'copied.py', folder / 'out', folder / 'env')
    wait_until((folder / 'out').exists, 20, lambda: (folder / 'said').read_text())
    images = folder / 'images'
    images.mkdir()
    done = room.run(criu, 'dump', '-t', pid, '-D', images)
    assert done.returncode == 0, done.stdout
    wait_until(lambda: not room.pids(), 10, 'it does not end')
    return pid, images, folder / 'out'


def memory_of(room, pid):
    """Kilobytes by name, of /proc/PID/smaps_rollup."""
    lines = (room.proc / str(pid) / 'smaps_rollup').read_text().splitlines()[1:]
    return {line.split(':')[0]: int(line.split()[1]) for line in lines}


def inner_pid(room, pid):
    """As it sees itself; 0 if it has just ended."""
    return int((text_or_nothing(room.proc / str(pid) / 'status').partition('NSpid:')[2].split('\n')[0].split() or [0])[-1])


def inits(room):
    return [pid for pid in room.pids() if text_or_nothing(room.proc / str(pid) / 'comm') == 'criu-init\n']


def said(out, number):
    wait_until(lambda: out.with_suffix(f'.{number}').exists(), 20, f'copy {number} says nothing')
    return json.loads(out.with_suffix(f'.{number}').read_text())


def is_gone(room):
    wait_until(lambda: not room.pids(), 20, lambda: f'still there: {room.pids()}')


def test_all_differ(copied, room, criu, folder):
    """Each knows its number, host and network, finds all memory as it was, changes it, and finds it as it left it."""
    pid, images, out = copied
    done = room.run(criu, 'restore', '-d', '-D', images, '--copies', 4, '--pidfile', 'pids', '--copy-hostname', 'host-%k', '--copy-net',
                    '--copy-env', folder / 'env')
    assert done.returncode == 0, done.stdout
    roots = [int(line) for line in (images / 'pids').read_text().splitlines()]
    assert len(set(roots)) == 4 and all(inner_pid(room, root) == pid for root in roots)
    nets = set()
    for number in range(1, 5):
        told = said(out, number)
        nets.add(told.pop('net'))
        assert told == {'copy': number, 'of': 4, 'pid': pid, 'parent': 1, 'host': f'host-{number}', 'wrong': [], 'child': told['child'],
                        'env': f'CRIU_COPY={number}\nCRIU_COPIES=4\nCRIU_COPY_HOSTNAME=host-{number}\n'}
    assert len(nets) == 4 and len(inits(room)) == 4
    assert (folder / 'env').read_text() == 'nobody\n'
    assert sorted(inner_pid(room, child) for child in room.pids()).count(told['child']) == 4
    room.kill(inits(room))
    is_gone(room)


def test_memory_is_shared(copied, room, criu):
    """Of the 100 MiB and more that each has, most belongs to all; nothing of it is a file or shared for the program."""
    _, images, _ = copied
    done = room.run(criu, 'restore', '-d', '-D', images, '--copies', 4, '--pidfile', 'pids', '--leave-stopped')
    assert done.returncode == 0, done.stdout
    for root in map(int, (images / 'pids').read_text().split()):
        memory = memory_of(room, root)
        assert memory['Rss'] > 64 << 10 and memory['Pss'] < memory['Rss'] * 0.45, memory
        assert memory['Private_Dirty'] < 4 << 10 and memory['Pss_Shmem'] < 1 << 10, memory
    room.kill(inits(room))
    is_gone(room)


def test_copy_of_copy(copied, room, criu, folder):
    """A copy is dumped, from inside of its pid namespace, and copied again; it is another one then."""
    pid, images, out = copied
    done = room.run(criu, 'restore', '-d', '-D', images, '--copies', 2, '--copy-env', folder / 'env')
    assert done.returncode == 0, done.stdout
    assert [said(out, number)['wrong'] for number in (1, 2)] == [[], []]
    second = folder / 'second'
    second.mkdir()
    words = ('nsenter', '-t', inits(room)[1], '--pid', '--mount', criu, 'dump', '-t', pid, '-D', second)
    done = room.run(*words)
    assert done.returncode == 0, done.stdout
    for number in (1, 2):
        out.with_suffix(f'.{number}').unlink()
    room.kill(inits(room))
    is_gone(room)
    done = room.run(criu, 'restore', '-d', '-D', second, '--copies', 3)
    assert done.returncode == 0, done.stdout
    room.kill(inits(room))
    is_gone(room)


def test_not_detached(copied, room, criu):
    """Without -d criu stays until the last task of the last copy has ended."""
    _, images, out = copied
    process = popen(room, criu, 'restore', '-D', images, '--copies', 3)
    for number in range(1, 4):
        said(out, number)
    first, *others = inits(room)
    room.kill(others)
    wait_until(lambda: inits(room) == [first], 10, 'they do not end')
    assert process.poll() is None
    room.kill([first])
    assert process.wait(20) == 0
    is_gone(room)


def popen(room, *words, env=None):
    """In the room, beside us."""
    return subprocess.Popen([room.program, 'run', room.first, *map(str, words)], stdin=subprocess.DEVNULL, env=env)


@pytest.mark.parametrize('point', ['restore/copies/file', 'restore/load/file', 'restore/fork', 'restore/content/memory', 'restore/last/task'])
def test_failure_leaves_nothing(copied, room, criu, point):
    """Where all fail: while the checkpoint is read, and while it is made."""
    _, images, out = copied
    done = room.run(criu, 'restore', '-d', '-D', images, '--copies', 3, env={**os.environ, 'CRIU_FAIL_AT': point})
    assert done.returncode == 1 and point in done.stdout, done.stdout
    is_gone(room)
    assert not list(out.parent.glob('out.*'))


@pytest.mark.parametrize('action', ['pre-restore', 'post-restore'])
def test_one_fails(copied, room, criu, folder, action):
    """The script of the last copy fails: none has run."""
    _, images, out = copied
    script = PROGRAMS / 'fail-in-copy.sh'
    done = room.run(criu, 'restore', '-d', '-D', images, '--copies', 5, '--action-script', script, '--pidfile', 'pids',
                    env={**os.environ, 'NOTES': str(folder / 'actions'), 'FAILING_COPY': '5', 'FAILING_ACTION': action})
    assert done.returncode == 1 and 'copy 5' in done.stdout, done.stdout
    assert f'{action} 5 of 5' in (folder / 'actions').read_text()
    is_gone(room)
    assert not list(out.parent.glob('out.*')) and not (images / 'pids').exists()


def test_pidfile_exists(copied, room, criu):
    """The last that can fail: nothing has run, and the file is as it was."""
    _, images, out = copied
    (images / 'pids').write_text('mine')
    done = room.run(criu, 'restore', '-d', '-D', images, '--copies', 2, '--pidfile', 'pids')
    assert done.returncode == 1 and '--pidfile' in done.stdout, done.stdout
    is_gone(room)
    assert not list(out.parent.glob('out.*')) and (images / 'pids').read_text() == 'mine'


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGKILL])
def test_ended_before_all_are_complete(copied, room, criu, folder, number):
    """criu is told to end, or killed, while one copy is not complete yet: none is left."""
    _, images, out = copied
    script = PROGRAMS / 'stay-in-copy.sh'
    process = popen(room, criu, 'restore', '-d', '-D', images, '--copies', 3, '--action-script', script, '--pidfile', 'pids',
                    env={**os.environ, 'NOTES': str(folder / 'at')})
    wait_until(lambda: all((folder / f'at.{i}').exists() for i in (1, 2, 3)), 20, 'they are not made')
    main = min(pid for pid in room.pids() if 'restore' in text_or_nothing(room.proc / str(pid) / 'cmdline').split('\0'))
    room.run('/bin/kill', f'-{int(number)}', main)
    assert process.wait(60) != 0
    room.kill([pid for pid in room.pids() if script.name in text_or_nothing(room.proc / str(pid) / 'cmdline')])
    is_gone(room)
    assert not list(out.parent.glob('out.*')) and not (images / 'pids').exists()


def test_worker_is_killed(copied, room, criu, folder):
    """The criu of a copy that is complete already is killed: none has run."""
    _, images, out = copied
    process = popen(room, criu, 'restore', '-d', '-D', images, '--copies', 3, '--action-script', PROGRAMS / 'stay-in-copy.sh',
                    env={**os.environ, 'NOTES': str(folder / 'at')})
    wait_until(lambda: all((folder / f'at.{i}').exists() for i in (1, 2, 3)), 20, 'they are not made')
    workers = [pid for pid in room.pids() if 'restore' in text_or_nothing(room.proc / str(pid) / 'cmdline').split('\0')][1:]
    room.run('/bin/kill', '-KILL', workers[-1])
    assert process.wait(60) != 0
    is_gone(room)
    assert not list(out.parent.glob('out.*'))


def test_by_request(copied, room, criu):
    """The answer has the pids of all."""
    pid, images, out = copied
    with start_swrk(criu, room=room) as client:
        reply = client.call('RESTORE', {'images_dir': str(images), 'copies': 3, 'copy_net': True, 'copy_hostname': 'h%k-%k'})
    assert reply and reply['success'], reply
    roots = reply['restore']['copies']
    assert reply['restore']['pid'] == roots[0] and [inner_pid(room, root) for root in roots] == [pid] * 3
    assert [said(out, number)['host'] for number in (1, 2, 3)] == ['h1-1', 'h2-2', 'h3-3']
    room.kill(inits(room))
    is_gone(room)


REFUSED = {
    'port': ('127.0.0.1:4321', ('--copy-net',)),
    'abstract': ('@here', ('--copy-net',)),
    'path': ('one/sock', ('--map-path', '{folder}/one={folder}/copy-%k')),
    'lock': ('one/lock', ('--map-path', '{folder}/one={folder}/copy-%k')),
}


@pytest.mark.parametrize('what', REFUSED)
def test_refused_by_name(what, room, criu, folder):
    """What only one could have: named by verify and before anything is made; and the way out is one."""
    name, way_out = REFUSED[what]
    for folder_name in ('one', 'copy-1', 'copy-2'):
        (folder / folder_name).mkdir()
        (folder / folder_name / 'lock').write_text('')
    (folder / 'images').mkdir()
    pid = room.start(folder / 'said', '/usr/bin/python3', PROGRAMS / 'hold-alone.py', what, folder)
    wait_until((folder / 'ready').exists, 20, lambda: (folder / 'said').read_text())
    done = room.run(criu, 'dump', '-t', pid, '-D', folder / 'images', '--file-locks')
    assert done.returncode == 0, done.stdout
    is_gone(room)
    for words in (('verify', folder / 'images'), ('restore', '-d', '-D', folder / 'images')):
        done = room.run(criu, *words, '--copies', 2, '--file-locks')
        assert done.returncode == 1 and name in done.stdout and way_out[0] in done.stdout, done.stdout
        is_gone(room)
    done = room.run(criu, 'restore', '-d', '-D', folder / 'images', '--copies', 2, '--file-locks', *(word.format(folder=folder) for word in way_out))
    assert done.returncode == 0, done.stdout
    assert len(inits(room)) == 2
    room.kill(inits(room))
    is_gone(room)


def test_container(room, criu, folder):
    """A tree with namespaces of its own: a pid namespace within that of the copy, its own ports, and the host name of the copy."""
    (folder / 'one').mkdir()
    images = folder / 'images'
    images.mkdir()
    pid = room.start(folder / 'said', '/usr/bin/python3', PROGRAMS / 'hold-alone.py', 'port', folder, house='pid,mnt,net,uts')
    wait_until((folder / 'ready').exists, 20, lambda: (folder / 'said').read_text())
    done = room.run(criu, 'dump', '-t', pid, '-D', images)
    assert done.returncode == 0, done.stdout
    is_gone(room)
    done = room.run(criu, 'restore', '-d', '-D', images, '--copies', 3, '--copy-hostname', 'box-%k', '--pidfile', 'pids')
    assert done.returncode == 0, done.stdout
    for number, root in enumerate((images / 'pids').read_text().split(), 1):
        assert inner_pid(room, root) == 1
        assert room.run('nsenter', '-t', root, '--uts', 'hostname').stdout == f'box-{number}\n'
    done = room.run(criu, 'restore', '-d', '-D', images, '--copies', 1, '--copy-env', folder / 'said')
    assert done.returncode == 1 and 'mount namespace' in done.stdout, done.stdout
    room.kill(inits(room))
    is_gone(room)


@pytest.mark.parametrize('words', [('--copies', 2, '--shell-job'), ('--copies', 2, '--stream=0'), ('--copies', 2, '--on-demand'), ('--copy-net',),
                                   ('--copies', 0, '--copy-hostname', 'x'), ('--copies', 1000000)])
def test_refused_together(criu, room, words):
    """What does not go together."""
    done = room.run(criu, 'restore', '-d', *words)
    assert done.returncode == 1 and '--copies' in done.stdout, done.stdout
