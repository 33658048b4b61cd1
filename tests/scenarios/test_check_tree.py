# SPDX-License-Identifier: GPL-2.0-only
"""criu check --tree: all that is in the way of a dump, told without doing any harm."""
import json
import re
import time

from room import wait_until

BUSY = r'''
import ctypes, fcntl, os, select, socket, sys, time
listener = socket.create_server(('127.0.0.1', 0))
clients = [socket.create_connection(listener.getsockname()) for _ in range(7)]
servers = [listener.accept()[0] for _ in range(7)]
locked = open('locked', 'w')
fcntl.flock(locked, fcntl.LOCK_EX)
gone = open('gone', 'w')
gone.write('x' * 3000000)
gone.flush()
os.unlink('gone')
linked = open('linked', 'w')
os.link('linked', 'linked2')
os.unlink('linked')
libc = ctypes.CDLL(None, use_errno=True)
ring = libc.syscall(425, 8, ctypes.create_string_buffer(120))
poll = select.epoll()
poll.register(os.pipe()[0], select.EPOLLIN)
if os.fork() == 0:
    os.setsid()
    open('ready', 'w').write(str(ring))
    libc.epoll_wait(poll.fileno(), ctypes.create_string_buffer(64), 1, -1)
    open('woken', 'w').close()
    sys.exit()
time.sleep(1000)
'''
WITH_OPTIONS = ('--tcp-established', '--file-locks', '--ghost-limit', '4M', '--link-remap')


def start(room, folder, program=BUSY):
    """The program, in a directory of its own."""
    work = folder / 'work'
    work.mkdir()
    (work / 'program').write_text(program)
    pid = room.start(folder / 'output', '/usr/bin/python3', 'program', cwd=work)
    wait_until(lambda: (work / 'ready').exists() and (work / 'ready').read_text(), 10, 'the program does not start')
    return pid, work


def describe(room, pid):
    """What could be seen of changes in a task."""
    proc = room.proc / str(pid)
    fdinfo = sorted((path.name, re.sub(r'^ino:.*$', '', path.read_text(), flags=re.M)) for path in (proc / 'fdinfo').iterdir())
    status = re.findall(r'^(?:TracerPid|Threads|Sig|Shd|Cap|NoNew|Seccomp).*', (proc / 'status').read_text(), re.M)
    return (proc / 'maps').read_text(), fdinfo, status


def settled(room):
    """All tasks of the room, when none is on its way to where it waits any more."""
    last, now = None, [describe(room, pid) for pid in room.pids()]
    while last != now:
        time.sleep(0.05)
        last, now = now, [describe(room, pid) for pid in room.pids()]
    return now


def check(room, criu, pid, *options):
    """Runs it; returns exit code and output."""
    done = room.run(criu, 'check', '--tree', pid, *options)
    return done.returncode, done.stdout


def test_nothing_in_the_way(room, criu, subject):
    run = subject('file/pipe')
    before = describe(room, run.pid)
    code, said = check(room, criu, run.pid)
    assert code == 0, said
    assert said.startswith(f'Tree of process {run.pid} (file.pipe): ') and said.endswith('\nNothing is in the way of a dump.\n')
    assert describe(room, run.pid) == before
    run.dump()


def test_all_obstacles_at_once(room, criu, folder):
    """Every kind of obstacle is told once, with task, descriptor and what helps; nothing is changed."""
    pid, work = start(room, folder)
    if int((work / 'ready').read_text()) < 0:
        import pytest       # pylint: disable=import-outside-toplevel
        pytest.skip('this kernel has no io_uring')
    before = settled(room)
    files = sorted(path.name for path in work.iterdir())
    code, said = check(room, criu, pid)
    assert code == 1
    for text in ('--tcp-established', '... and 9 more like this', '--file-locks', '/gone (deleted): this deleted file has 3',
                 '--ghost-limit', '--link-remap', 'anon_inode:[io_uring]: [io_uring] can\'t be saved', '18 obstacles.'):
        assert text in said, said
    assert len(re.findall(rf'^  task {pid} \(python3\): descriptor \d+', said, re.M)) == 9, said

    code, said = check(room, criu, pid, *WITH_OPTIONS)
    assert code == 1 and said.endswith('\n1 obstacle.\n') and 'io_uring' in said
    assert sorted(path.name for path in work.iterdir()) == files
    assert [describe(room, each) for each in room.pids()] == before
    assert not (work / 'woken').exists(), 'a system call was broken off'


def test_dump_tells_the_same(room, criu, folder):
    """A dump that is refused tells all as well, and lets the tasks go on."""
    pid, work = start(room, folder)
    images = folder / 'images'
    images.mkdir()
    done = room.run(criu, 'dump', '-t', pid, '-D', images, '-o', 'dump.log')
    log = (images / 'dump.log').read_text()
    assert done.returncode == 1
    for text in ('--tcp-established', 'and 9 more like this', '--file-locks', '--ghost-limit', '--link-remap', 'Dumping FAILED.'):
        assert text in log, log
    assert not (images / 'inventory.img').exists()
    assert len(room.pids()) == 2
    assert sorted(path.name for path in work.iterdir()) == ['linked2', 'locked', 'program', 'ready']
    assert not (work / 'woken').exists(), 'a system call was broken off'


def test_json(room, criu, folder):
    pid, _ = start(room, folder)
    code, said = check(room, criu, pid, '--json', '-v0', *WITH_OPTIONS[:2])
    report = json.loads(said)
    assert code == 1 and report['pid'] == pid and report['tasks'] == 2 and not report['dump_should_succeed']
    assert any('--ghost-limit' in obstacle['what'] and 'descriptor' in obstacle['where'] for obstacle in report['obstacles'])


def test_terminal_and_session_of_somebody_else(room, criu, folder):
    """A job of a shell: its terminal is held outside."""
    output = folder / 'output'
    room.start(output, '/usr/bin/script', '-qc', 'sleep 900; true', '/dev/null')
    pid = wait_until(lambda: next((pid for pid in room.pids() if (room.proc / str(pid) / 'comm').read_text() == 'sleep\n'), None), 5)
    code, said = check(room, criu, pid)
    assert code == 1 and '--shell-job' in said and f'task {pid} (sleep)' in said, said
    code, said = check(room, criu, pid, '--shell-job')
    assert code == 0, said


def test_traced_by_somebody(room, criu, folder):
    """A debugger is in the way; the descriptors are looked at all the same."""
    tracer = '''
import ctypes, os, time, fcntl
child = os.fork()
if child == 0:
    f = open('locked', 'w')
    fcntl.flock(f, fcntl.LOCK_EX)
    time.sleep(1000)
libc = ctypes.CDLL(None)
time.sleep(0.3)
libc.ptrace(0x4206, child, 0, 0)
open('ready', 'w').write(str(child))
time.sleep(1000)
'''
    _, work = start(room, folder, tracer)
    child = int((work / 'ready').read_text())
    code, said = check(room, criu, child)
    assert code == 1 and 'is traced by process' in said and '--file-locks' in said, said


def test_no_such_process(room, criu):
    code, said = check(room, criu, 4000000)
    assert code == 1 and 'there is no process 4000000' in said


def test_namespaces_are_told_once(room, criu, folder):
    """What a task shares with its parent is not said again."""
    pid = room.start(folder / 'output', '/usr/bin/unshare', '--uts', '--ipc', '/bin/sh', '-c', 'sleep 900; true')
    wait_until(lambda: len(room.pids()) == 2, 5)
    code, said = check(room, criu, pid)
    assert code == 1 and said.count('uts namespace of its own') == 1 and said.count('ipc namespace of its own') == 1, said
