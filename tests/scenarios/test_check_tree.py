# SPDX-License-Identifier: GPL-2.0-only
"""criu check --tree: all that is in the way of a dump, told without doing any harm."""
import json
import os
import re
import shutil
import time
from pathlib import Path

import pytest

from room import PROGRAMS, wait_until

WITH_OPTIONS = ('--tcp-established', '--file-locks', '--ghost-limit', '4M', '--link-remap')


def start(room, folder, program='obstacles-and-wait.py'):
    """The program, in a directory of its own."""
    work = folder / 'work'
    work.mkdir()
    shutil.copy(PROGRAMS / program, work / 'program')
    pid = room.start(folder / 'output', '/usr/bin/python3', 'program', cwd=work)
    wait_until(lambda: (work / 'ready').exists() and (work / 'ready').read_text(), 10, 'the program does not start')
    return pid, work


def describe(room, pid):
    """What could be seen of changes in a task."""
    proc = room.proc / str(pid)
    fdinfo = sorted((path.name, re.sub(r'^ino:.*$', '', path.read_text(), flags=re.M)) for path in (proc / 'fdinfo').iterdir())
    status = re.findall(r'^(?:TracerPid|Threads|Sig(?!Q)|Shd|Cap|NoNew|Seccomp).*', (proc / 'status').read_text(), re.M)
    return (proc / 'maps').read_text(), fdinfo, status


def comm_of(room, pid):
    """The name of a process, None if it is gone."""
    try:
        return (room.proc / str(pid) / 'comm').read_text().strip()
    except OSError:
        return None


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


def test_tasks_that_come_and_go(room, criu, folder):
    """A shell whose children end while they are looked at: nothing is in the way."""
    pid = room.start(folder / 'output', '/bin/sh', '-c', 'while :; do sleep 0.02; done')
    for _ in range(30):
        code, said = check(room, criu, pid)
        assert code == 0, said


def test_all_obstacles_at_once(room, criu, folder):
    """Every kind of obstacle is told once, with task, descriptor and what helps; nothing is changed."""
    pid, work = start(room, folder)
    if int((work / 'ready').read_text()) < 0:
        pytest.skip('this kernel has no io_uring')
    before = settled(room)
    files = sorted(path.name for path in work.iterdir())
    code, said = check(room, criu, pid)
    assert code == 1
    for text in ('--tcp-established', '... and 9 more like this', '--file-locks', '/gone (deleted): this deleted file has 3',
                 '--ghost-limit', '--link-remap', 'anon_inode:[io_uring]: its table of registered files', '18 obstacles.'):
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


def in_the_way(room, criu, pid, *options):
    """Obstacles of a dump, and those of an engine that made the container; None: it was not looked at."""
    found = json.loads(check(room, criu, pid, '--json', '-v0', *options)[1])
    return found['obstacles'], found['container']['obstacles'] if 'container' in found else None


def test_container(room, criu, folder):
    """Of a container it is also told what is in the way of the engine that made it."""
    pid = room.start('/dev/null', 'unshare', '-m', 'flock', folder / 'lock', 'sleep', '1000', cwd=folder)
    wait_until((folder / 'lock').exists, 20)
    wait_until(lambda: check(room, criu, pid)[0], 20)
    said = check(room, criu, pid)[1]
    assert said.partition('In the way of the engine')[2].count('--file-locks') == 1, said
    code, said = check(room, criu, pid, '--external', 'mnt[]:sm', '--shell-job')
    assert code == 1 and '--file-locks' in said and said.endswith('1 obstacle.\n'), said


def test_joined_pids(room, criu, folder):
    """A container in the pid namespace of another one, not led from there: an engine gives both."""
    first = room.start('/dev/null', 'unshare', '-pf', '--kill-child', 'sh', '-c', 'touch ready; sleep 1000; true', cwd=folder)
    wait_until((folder / 'ready').exists, 20)
    room.start('/dev/null', 'nsenter', f'--pid=/proc/{first}/ns/pid_for_children', 'unshare', '-m', 'tail', '-f', 'ready', cwd=folder)
    wait_until(lambda: 'tail' in [comm_of(room, pid) for pid in room.pids()], 20)
    pid = next(pid for pid in room.pids() if comm_of(room, pid) == 'tail')
    code, said = check(room, criu, pid)
    assert code == 1 and 'is not the first of its pid namespace' in said and 'nothing else is in its way' in said, said
    code, said = check(room, criu, pid, '--json', '-v0')
    found = json.loads(said)
    assert code == 1 and not found['dump_should_succeed'] and found['obstacles']
    assert found['container'] == {'dump_should_succeed': True, 'obstacles': [], 'warnings': found['container']['warnings']}


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
    pid = wait_until(lambda: next((pid for pid in room.pids() if comm_of(room, pid) == 'sleep'), None), 5)
    code, said = check(room, criu, pid)
    assert code == 1 and '--shell-job' in said and f'task {pid} (sleep)' in said, said
    code, said = check(room, criu, pid, '--shell-job')
    assert code == 0, said


def test_traced_by_somebody(room, criu, folder):
    """A debugger is in the way; the descriptors are looked at all the same."""
    _, work = start(room, folder, 'tracer.py')
    child = int((work / 'ready').read_text())
    code, said = check(room, criu, child)
    assert code == 1 and 'is traced by process' in said and '--file-locks' in said, said


def test_refused_while_freezing(room, criu, folder):
    """A dump that fails before it has looked at a thread does not break off its system call."""
    pid, work = start(room, folder, 'tracer-and-wait.py')
    wait_until(lambda: (room.proc / str(pid) / 'syscall').read_text().startswith('232 '), 5)
    for command in 'dump', 'check --tree':
        done = room.run(criu, *command.split(), *(['-t', pid, '-D', work] if command == 'dump' else [pid]))
        assert done.returncode == 1 and 'is traced by process' in done.stdout, done.stdout
        wait_until(lambda: (room.proc / str(pid) / 'syscall').read_text().startswith('232 '), 5)
        assert not (work / 'woken').exists(), (work / 'woken').read_text()


def test_descriptors_that_come_and_go(room, criu, folder):
    """A task that runs meanwhile may close a descriptor that is being looked at: that is in nobody's way."""
    pid = room.start(folder / 'output', '/usr/bin/python3', PROGRAMS / 'open-close.py', cwd=folder)
    wait_until((folder / 'ready').exists, 30)
    for _ in range(20):
        code, said = check(room, criu, pid)
        assert code == 0 and said.endswith('Nothing is in the way of a dump.\n'), said


def test_no_such_process(room, criu):
    code, said = check(room, criu, 4000000)
    assert code == 1 and 'there is no process 4000000' in said


def test_namespaces_are_told_once(room, criu, folder):
    """What a task shares with its parent is not said again."""
    pid = room.start(folder / 'output', 'unshare', '-u', 'unshare', '-Ur', 'sh', '-c', 'sleep 900; true')
    wait_until(lambda: len(room.pids()) == 2, 60)
    code, said = check(room, criu, pid)
    assert code == 1 and said.count('its user namespace') == 1, said


def test_namespace_in_between(room, criu, folder):
    """A user namespace in which nobody lives any more is not made again: it is told, and only where there is one."""
    for number, words in enumerate((['unshare', '-Ur'], ['unshare', '-Ur', 'unshare', '-Ur'])):
        pid = room.start(folder / f'output{number}', *words, 'sleep', '900')
        wait_until(lambda: Path(f'{room.proc}/{pid}/comm').read_text() == 'sleep\n', 60)
        code, said = check(room, criu, pid)
        assert code == 0 and ('the user namespace around that of the root' in said) == bool(number), said


NGINX = '''
worker_processes 2;
daemon off;
pid {0}/pid;
error_log {0}/error;
events {{ worker_connections 64; }}
http {{
    access_log off;
    client_body_temp_path {0}/1; proxy_temp_path {0}/2; fastcgi_temp_path {0}/3; uwsgi_temp_path {0}/4; scgi_temp_path {0}/5;
    keepalive_timeout 600;
    server {{ listen 127.0.0.1:8080; root {0}; }}
}}
'''


@pytest.mark.skipif(not shutil.which('nginx'), reason='there is no nginx')
def test_nginx(room, criu, folder):
    """A server with a client outside of the tree: only the connection is in the way, and an option helps."""
    (folder / 'nginx.conf').write_text(NGINX.format(folder))
    (folder / 'index.html').write_text('hello')
    room.run('/sbin/ip', 'link', 'set', 'lo', 'up')
    os.chmod(folder, 0o777)
    room.start(folder / 'output', shutil.which('nginx'), '-c', folder / 'nginx.conf', '-p', folder, '-e', folder / 'error')
    wait_until(lambda: (folder / 'pid').exists() and (folder / 'pid').read_text().strip() and len(room.pids()) == 3, 5,
               lambda: (folder / 'output').read_text())
    pid = int((folder / 'pid').read_text())
    code, said = check(room, criu, pid)
    assert code == 0 and '3 tasks, 3 threads' in said, said
    room.start(folder / 'output2', '/usr/bin/python3', PROGRAMS / 'http-client.py', cwd=folder)
    wait_until(lambda: (folder / 'connected').exists(), 5, lambda: (folder / 'output2').read_text())
    code, said = check(room, criu, pid)
    assert code == 1 and '1 obstacle.' in said and '(127.0.0.1:8080 -> 127.0.0.1:' in said and '--tcp-established' in said, said
    code, said = check(room, criu, pid, '--tcp-established')
    assert code == 0, said


@pytest.mark.skipif(not shutil.which('tmux'), reason='there is no tmux')
def test_tmux(room, criu, folder):
    """The server with all that runs in it can be saved; a program in it alone has a terminal that is held by the server."""
    room.start(folder / 'output', '/usr/bin/env', 'TERM=xterm', 'tmux', '-S', folder / 'socket', '-f', '/dev/null', 'new-session', '-d', 'sleep 900')
    wait_until(lambda: len(room.pids()) == 2 and comm_of(room, room.pids()[1]) == 'sleep', 5, 'tmux does not start')
    server, program = room.pids()
    code, said = check(room, criu, server)
    assert code == 0, said
    code, said = check(room, criu, program)
    assert code == 1 and 'the other side of the terminal /dev/pts/' in said and '--shell-job' in said, said
    code, said = check(room, criu, program, '--shell-job')
    assert code == 0, said


def test_dump_names_all(room, criu, folder):
    """A dump that is refused names whatever the preflight names, and not only the first of it."""
    pid = room.start('/dev/null', '/usr/bin/python3', PROGRAMS / 'obstacles.py', cwd=folder)
    wait_until((folder / 'ready').exists, 20, 'it does not begin')
    told = json.loads(room.run(criu, 'check', '--tree', pid, '--json').stdout)
    assert len(told['obstacles']) >= 5, told
    (folder / 'images').mkdir()
    done = room.run(criu, 'dump', '-t', pid, '-D', folder / 'images')
    assert done.returncode == 1
    missing = [one['what'] for one in told['obstacles'] if one['what'] not in done.stdout]
    assert not missing, f'{missing} is not in what the dump says: {done.stdout}'
    room.kill([pid])
