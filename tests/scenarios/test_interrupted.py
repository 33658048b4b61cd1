# SPDX-License-Identifier: GPL-2.0-only
"""SIGTERM, SIGINT, SIGHUP, SIGQUIT and other ends that never come: what was begun is undone, the log says why, and the exit code is 1."""
import signal
import subprocess

import pytest

import checks
from room import PROGRAMS, wait_until
from rpc import start_swrk

SIGNALS = ('TERM', 'INT', 'HUP', 'QUIT')


def script(folder, action, *lines):
    """An action script that does this at one action; returns its path."""
    path = folder / f'at-{action}'
    path.write_text('\n'.join(('#!/bin/sh', f'[ "$CRTOOLS_SCRIPT_ACTION" = {action} ] || exit 0', *lines)) + '\n')
    path.chmod(0o755)
    return path


class Silent:
    """A page server in the room of a subject; a context manager."""

    def __init__(self, run, taken):
        self.process = subprocess.Popen([run.room.program, 'run', run.room.first, 'python3', PROGRAMS / 'silent-page-server.py', str(taken)],
                                        stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
        self.await_line()

    def await_line(self):
        """It listens; or it has read what it wants to read."""
        assert self.process.stdout.readline() == b'\n'

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


def to_server(run, command, images, *options):
    """The words for a dump whose memory goes to the page server."""
    return [run.room.program, 'run', run.room.first, run.criu, command, '-t', str(run.pid), '-D', str(images), '-v4', '-o', f'{command}.log',
            '--page-server', '--address', '127.0.0.1', '--port', '27777', *options]


@pytest.mark.parametrize('name', SIGNALS)
@pytest.mark.parametrize('action', ['pre-dump', 'network-lock', 'post-dump'])
def test_dump(subject, folder, name, action):
    """A signal at the beginning, in the middle and at the very end of a dump."""
    run = subject('tree/family', 'net' if action == 'network-lock' else None)
    images = run.folder_of_images()
    status, said = run.call_criu('dump', images, '-t', run.pid, '--action-script', script(folder, action, f'kill -{name} $PPID'))
    assert status == 1 and 'Error (base/interrupt.c:' in said and f'interrupted by SIG{name} of process ' in said, said
    log = (images / 'dump.log').read_text()
    assert log.count('interrupted by') == 1 and 'Dumping FAILED.' in log, said
    run.compare(f'after SIG{name}')
    images = run.dump()
    run.await_gone()
    run.restore(images)
    run.release()


@pytest.mark.parametrize('name', SIGNALS)
def test_after_a_request(subject, folder, room, name):
    """A signal that comes to a worker when its request cannot be interrupted any more: the client has its answer, then the worker ends by it."""
    run = subject('tree/family')
    images = run.dump()
    run.await_gone()
    with start_swrk(run.criu, '--action-script', script(folder, 'post-resume', f'kill -{name} $PPID'), room=room) as client:
        reply = client.call('RESTORE', {'images_dir': str(images), 'log_level': 4})
        assert reply['success'], reply
        assert client.process.wait(60) == 128 + getattr(signal, f'SIG{name}')
    run.compare('after the restore')
    run.release()


@pytest.mark.parametrize('name', SIGNALS)
@pytest.mark.parametrize('action', ['pre-restore', 'post-restore'])
def test_restore(subject, folder, room, name, action):
    """A signal before there is anything, and when all is there: nothing is left, and the images are as good as before."""
    run = subject('tree/family')
    images = run.dump()
    run.await_gone()
    status, said = run.call_criu('restore', images, '-d', '--pidfile', folder / 'pid', '--action-script',
                                 script(folder, action, f'kill -{name} $PPID'))
    assert status == 1 and f'interrupted by SIG{name} of process ' in said and 'Restoring FAILED.' in said, said
    wait_until(lambda: not room.pids(), 5, lambda: f'left over: {room.pids()}')
    assert not (folder / 'pid').exists() and checks.listing(run.work) == run.files
    run.restore(images)
    run.compare('after the restore')
    run.release()


@pytest.mark.parametrize('action', ['post-dump', 'post-restore'])
def test_hanging_script(subject, folder, room, action):
    """Who ends criu ends the script that it waits for."""
    run = subject('tree/family')
    images = run.folder_of_images() if action == 'post-dump' else run.dump()
    command = ['dump', '-t', str(run.pid)] if action == 'post-dump' else ['restore', '-d']
    words = [run.room.program, 'run', run.room.first, run.criu, *command, '-D', str(images), '-v4', '-o', 'log', '--action-script',
             str(script(folder, action, f'echo $PPID > {folder}/there', 'exec sleep 1000'))]
    with subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as process:
        pid = wait_until(lambda: (folder / 'there').exists() and (folder / 'there').read_text().strip(), 10, 'the script is not run')
        room.run('/bin/kill', pid)
        assert process.wait(60) == 1
    said = (images / 'log').read_text()
    assert 'interrupted by SIGTERM' in said, said
    if action == 'post-dump':
        run.compare('after the signal')
        run.release()
    else:
        wait_until(lambda: not room.pids(), 5, lambda: f'left over: {room.pids()}')


def survive(run, command):
    """A dump has failed: the tree is as it was. After a pre-dump it may still be watched by a tracker (docs/MEMORY.md)."""
    if command == 'dump':
        run.compare('after the dump')
    images = run.dump()
    run.await_gone()
    run.restore(images)
    run.release()


@pytest.mark.parametrize('command', ['dump', 'pre-dump'])
def test_terminal(subject, command):
    """Ctrl-C at the terminal that criu was started from, while it waits for a page server."""
    run = subject('memory/anonymous')
    images = run.folder_of_images()
    log = images / f'{command}.log'
    with Silent(run, 0):
        done = run.room.run('/usr/bin/python3', PROGRAMS / 'type-interrupt.py', log, 'dump/memory' if command == 'dump' else 'dump/copy',
                            *to_server(run, command, images, '--timeout', '0')[3:])
    said = log.read_text()
    assert done.returncode == 1 and 'interrupted by SIGINT: ' in said and 'FAILED.' in said, said
    survive(run, command)


@pytest.mark.parametrize('command', ['dump', 'pre-dump'])
@pytest.mark.parametrize('taken', [0, 100, 100000])
def test_silent_server(subject, command, taken):
    """A page server that does not answer, or takes nothing any more, holds the tasks no longer than --timeout says."""
    run = subject('memory/anonymous')
    images = run.folder_of_images()
    with Silent(run, taken):
        done = subprocess.run(to_server(run, command, images, '--timeout', '1'), stdin=subprocess.DEVNULL, timeout=120, check=False)
        said = (images / f'{command}.log').read_text()
        assert done.returncode == 1 and 'the other end has been silent for 1 s' in said and '--timeout' in said, said
    survive(run, command)


def test_nowhere(subject):
    """A host that does not answer at all."""
    run = subject('memory/anonymous')
    run.call_in_room('/bin/sh', '-c', 'ip link add nowhere type veth peer name nobody && ip link set nobody up && ip addr add 192.0.2.1/24 dev nowhere && ip link set nowhere up && '
                     'ip neigh add 192.0.2.2 lladdr 02:00:00:00:00:01 nud permanent dev nowhere')
    status, said = run.call_criu('dump', run.folder_of_images(), '-t', run.pid, '--page-server', '--address', '192.0.2.2', '--port', '27777',
                                 '--timeout', '1')
    assert status == 1 and 'cannot connect to the page server at 192.0.2.2 port 27777' in said and 'Phase dump/freeze' not in said, said
    run.compare('after the dump')
    run.release()


@pytest.mark.parametrize('name', SIGNALS)
def test_lazy_pages(subject, name):
    """The daemon says why it ends, before a restorer comes as well as in the middle of its work; then the tasks that lack memory are killed."""
    run = subject('memory/anonymous')
    images = run.dump()
    run.await_gone()
    for busy in (False, True):
        run.call_in_room(run.criu, 'lazy-pages', '-D', images, '-d', '--pidfile', f'{busy}.pid', '-v4', '-o', 'lazy.log')
        daemon = int((images / f'{busy}.pid').read_text())
        if busy:
            run.call_in_room('/bin/kill', '-STOP', daemon)
            restore = subprocess.Popen([run.room.program, 'run', run.room.first, run.criu, 'restore', '-D', str(images), '-d', '--lazy-pages'],
                                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            wait_until(lambda: run.pid in run.room.pids(), 20, 'no restore')
        run.call_in_room('/bin/kill', f'-{name}', daemon)
        run.room.run('/bin/kill', '-CONT', daemon)      # or it is gone already
        wait_until(lambda: daemon not in run.room.pids(), 20, 'it does not end')
        said = (images / 'lazy.log').read_text()
        assert f'interrupted by SIG{name} of process ' in said, said
        assert next(status for pid, status in run.room.reaped() if pid == daemon) == 1 << 8
        if busy:
            restore.wait(60)
            wait_until(lambda: not run.room.pids(), 20, lambda: f'left over: {run.room.pids()}')
    run.restore(images)
    run.release()


def test_ignored(subject, folder):
    """nohup(1): what is ignored does not interrupt."""
    run = subject('tree/family')
    images = run.folder_of_images()
    done = run.room.run('/usr/bin/nohup', run.criu, 'dump', '-t', run.pid, '-D', images, '-o', 'log', '-v4', '--action-script',
                        script(folder, 'post-dump', 'kill -HUP $PPID'))
    assert done.returncode == 0, (images / 'log').read_text()
    run.await_gone()
    run.restore(images)
    run.release()


def test_too_late(subject, folder):
    """What cannot be undone any more goes to its end."""
    run = subject('tree/family')
    images = run.dump()
    run.await_gone()
    status, said = run.call_criu('restore', images, '-d', '--action-script', script(folder, 'pre-resume', 'kill -TERM $PPID'))
    assert status == 0 and 'finished successfully' in said, said
    run.compare('after the restore')
    run.release()
