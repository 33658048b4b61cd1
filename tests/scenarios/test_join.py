# SPDX-License-Identifier: GPL-2.0-only
"""--join-ns: a tree is restored into namespaces that are there already, whether it had one of its own or not."""
import contextlib
import os
import subprocess

import pytest

from room import wait_until

KINDS = {'uts': '--uts', 'ipc': '--ipc', 'net': '--net', 'time': '--time'}


@pytest.fixture
def host():
    """host('uts') keeps a namespace: a process in it."""
    made = []

    def start(kind):
        if not os.path.exists(f'/proc/self/ns/{kind}'):
            pytest.skip(f'there are no {kind} namespaces')
        script = 'hostname joined 2> /dev/null; echo ready; exec sleep 1000' if kind == 'uts' else 'echo ready; exec sleep 1000'
        words = ['unshare', KINDS[kind], *(['--fork'] if kind == 'time' else []), 'sh', '-c', script]
        made.append(subprocess.Popen(words, stdout=subprocess.PIPE, text=True, start_new_session=True))
        assert made[-1].stdout.readline() == 'ready\n'
        return made[-1]
    yield start
    for process in made:
        os.killpg(process.pid, 9)
        process.wait()
        process.stdout.close()


def pid_in(process, kind):
    """The process that lives in the namespace: of time, a child."""
    if kind != 'time':
        return process.pid
    with open(f'/proc/{process.pid}/task/{process.pid}/children', encoding='ascii') as file:
        return int(file.read().split()[0])


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('name', ['tree/family', 'namespace/uts'])
def test_joined(subject, host, kind, name):
    """By the file of a namespace; all processes of the tree are in it afterwards."""
    run = subject(name)
    target = pid_in(host(kind), kind)
    images = run.dump()
    run.await_gone()
    file = f'/proc/{target}/ns/{kind}'
    # That path means nothing in the room: it is opened before.
    command = (f'exec 9< {file}; exec {run.room.program} run {run.room.first} {run.criu} restore -d -D {images} -v4 -o restore.log '
               f'--join-ns {kind}:/proc/self/fd/9')
    done = subprocess.run(['sh', '-c', command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stdout + (images / 'restore.log').read_text()
    lives_in = set()
    for pid in run.room.pids():
        with contextlib.suppress(FileNotFoundError):      # what is left of criu, or a child of the subject, may end meanwhile
            lives_in.add(os.readlink(run.room.proc / str(pid) / 'ns' / kind))
    assert lives_in == {os.readlink(file)}
    if (name, kind) == ('namespace/uts', 'uts'):
        run.kill()          # it would miss its own host name
        return
    run.release()


@pytest.mark.parametrize('option, words', [
    ('pid:1', '--join-ns pid: a tree cannot be restored into such a namespace yet'),
    ('cgroup:1', '--join-ns cgroup: a tree cannot be restored into such a namespace yet'),
    ('room:1', 'a kind of namespace, such as net, and a pid or file'),
    ('uts:/dev/null', 'that is no uts namespace'),
    ('uts:/proc/self/ns/net', 'that is no uts namespace'),
    ('uts:/nonesuch', 'No such file'),
])
def test_refused(subject, option, words):
    """Before anything is made."""
    run = subject('tree/family')
    images = run.dump()
    run.await_gone()
    code, said = run.call_criu('restore', images, '-d', '--join-ns', option)
    assert code == 1 and words in said, said
    run.await_gone()


def child_of(room, pid):
    file = room.proc / str(pid) / 'task' / str(pid) / 'children'
    wait_until(lambda: file.read_text().split(), 20)
    return int(file.read_text().split()[0])


def numbers(room, pid):
    """What a process and its children are called on all levels, and where they live."""
    found = []
    for p in (pid, *map(int, (room.proc / str(pid) / 'task' / str(pid) / 'children').read_text().split())):
        status = (room.proc / str(p) / 'status').read_text()
        inner = [line.split('\t')[2:] for line in status.splitlines() if line.startswith('NS')]
        found.append((os.readlink(room.proc / str(p) / 'ns/pid'), inner))
    return sorted(found)


# Two children with one of their own, and a zombie.
TREE = '(sleep 1000 & wait) & (sleep 1000 & wait) & sleep 0.01 & exec sleep 1000'
# Before, while and after the tasks are given the last of what they had.
FAILURES = ['restore/arrive/mount', 'restore/content/memory', 'restore/plan/task', 'restore/last/task', 'restore/home/task', 'restore/resume/file']


def has_zombie(room, pid):
    """Whether a child has ended."""
    children = (room.proc / str(pid) / 'task' / str(pid) / 'children').read_text().split()
    return any('\nState:\tZ' in (room.proc / child / 'status').read_text() for child in children)


def assert_no_orphans(room, first):
    """What the first process of the namespace would have got, and has not reaped; it may have children of its own."""
    children = (room.proc / str(first) / 'task' / str(first) / 'children').read_text().split()
    states = []
    for child in children:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            states.append((room.proc / child / 'stat').read_text())
    assert len(states) <= 1 and not any(') Z ' in state and '(sh)' in state for state in states), states


@pytest.mark.parametrize('script', ['while :; do sleep 0.05; done', 'exec sleep 1000'], ids=['reaps', 'reaps-nobody'])
def test_given_pid_namespace(room, criu, folder, script):
    """A tree that lives in the pid namespace of another one: it has to be named, and to be given again; twice. No zombie of it is left there."""
    first = child_of(room, room.start(folder / 'holder', 'unshare', '--pid', '--fork', 'sh', '-c', script, cwd='/'))
    entered = room.start(folder / 'visitor', 'nsenter', '-t', str(first), '-p', 'setsid', 'sh', '-c', TREE, cwd='/')
    pid = child_of(room, entered)
    wait_until(lambda: len(numbers(room, pid)) == 4 and has_zombie(room, pid), 20)
    inode = os.stat(room.proc / str(first) / 'ns/pid').st_ino
    key = f'pid[{inode}]:theirs'
    before = numbers(room, pid)
    assert before[0][1][1][0] not in ('', '1')
    done = room.run(criu, 'check', '--tree', str(pid))
    assert done.returncode == 1 and f'--external pid[{inode}]:NAME' in done.stdout, done.stdout
    for number in (1, 2):
        images = folder / f'images{number}'
        images.mkdir()
        done = room.run(criu, 'check', '--tree', str(pid), '--external', key)
        assert done.returncode == 0, done.stdout
        done = room.run(criu, 'dump', '-t', str(pid), '-D', images, '-v4', '-o', 'dump.log', '--external', key)
        assert done.returncode == 0, (images / 'dump.log').read_text()
        wait_until(lambda: pid not in room.pids(), 20)
        assert_no_orphans(room, first)
        done = room.run(criu, 'restore', '-d', '-D', images, '-v4', '-o', 'no.log')
        assert done.returncode == 1 and 'give it with --inherit-fd fd[N]:theirs' in (images / 'no.log').read_text()
        done = room.run('sh', '-c', f'exec 9< /proc/$$/ns/uts; exec {criu} restore -d -D {images} -v4 -o other.log --inherit-fd "fd[9]:theirs"')
        assert done.returncode == 1 and 'no pid namespace' in (images / 'other.log').read_text()
        for point in FAILURES:
            command = f'exec 9< /proc/{first}/ns/pid; CRIU_FAIL_AT={point} exec {criu} restore -D {images} -v4 -o failed.log --inherit-fd "fd[9]:theirs"'
            done = room.run('sh', '-c', command)
            assert done.returncode == 1 and point in (images / 'failed.log').read_text()
            assert_no_orphans(room, first)
        command = f'exec 9< /proc/{first}/ns/pid; exec {criu} restore -d -D {images} -v4 -o restore.log --pidfile pid --inherit-fd "fd[9]:theirs"'
        done = room.run('sh', '-c', command)
        assert done.returncode == 0, (images / 'restore.log').read_text()
        pid = int((images / 'pid').read_text())
        assert numbers(room, pid) == before
