# SPDX-License-Identifier: GPL-2.0-only
"""The flags of runc checkpoint and runc restore, one by one."""
import json
import os
import pty
import select
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from engine import need, talk
from room import wait_until

sys.path.insert(0, str(Path(__file__).parents[1] / 'scenarios'))
from runc import LOOP, Containers       # noqa: E402    pylint: disable=wrong-import-position

FLAGS = ['', '--file-locks', '--shell-job', '--ext-unix-sk', '--auto-dedup', '--empty-ns network', '--manage-cgroups-mode soft',
         '--manage-cgroups-mode full', '--manage-cgroups-mode strict', '--tcp-established']


@pytest.fixture
def containers(criu, folder):
    """A Containers, as on a machine of systemd's."""
    need('runc', 'busybox')
    made = Containers(folder, criu, 'shared')
    yield made
    made.close()


def share_network(config):
    """The container has the network of the host."""
    config['linux']['namespaces'] = [one for one in config['linux']['namespaces'] if one['type'] != 'network']


def use_host(config):
    """It has what is in the host's /usr."""
    config['mounts'] += [{'destination': path, 'source': os.path.realpath(path), 'type': 'bind', 'options': ['rbind', 'ro', 'rprivate']}
                         for path in ('/usr', '/lib', '/lib64')]


@pytest.mark.parametrize('flag', FLAGS)
def test_flags(containers, flag):
    """With this flag for both, twice; then commands and statistics."""
    name = containers.name()
    containers.run(name)
    for number in (1, 2):
        images = containers.checkpoint(name, number, *flag.split())
        before = containers.count()
        containers.restore(name, images, *flag.split())
        containers.check_alive(name, before)
    assert json.loads(containers.call('events', '--stats', name))['data']['pids']['current'] >= 1
    containers.call('pause', name)
    containers.call('resume', name)
    containers.check_alive(name, containers.count())


def test_client_outside(containers):
    """--tcp-established: a client on the host goes on, twice."""
    containers.configure(share_network)
    containers.configure(lambda config: config['process'].update(args=['/bin/busybox', 'sh', '-c', 'busybox nc -l -p 7778 -e busybox cat & ' + LOOP]))
    name = containers.name()
    containers.run(name)
    with socket.create_connection(('127.0.0.1', 7778), timeout=60) as connection:
        talk(connection)
        for number in (1, 2):
            images = containers.checkpoint(name, number, '--tcp-established')
            containers.restore(name, images, '--tcp-established')
            talk(connection)


def test_locks(containers):
    """--file-locks: refused without, kept with it."""
    containers.configure(use_host)
    containers.configure(lambda config: config['process'].update(args=['/bin/sh', '-c', 'exec 9> /lock; /usr/bin/flock 9; ' + LOOP]))
    name = containers.name()
    containers.run(name)
    (containers.folder / 'refused').mkdir()
    code, said = containers.call('checkpoint', '--image-path', containers.folder / 'refused', name, check=False)
    assert code and 'criu failed' in said
    for number in (1, 2):
        containers.restore(name, containers.checkpoint(name, number, '--file-locks'), '--file-locks')
        assert containers.call('exec', name, '/usr/bin/flock', '-n', '/lock', '/bin/echo', check=False)[0] == 1


def test_pre_dumps(containers):
    """--pre-dump, --parent-path, --auto-dedup: two steps and a dump, and all of it again."""
    name = containers.name()
    containers.run(name)
    for turn in (1, 2):
        parent = []
        for step in ('first', 'second'):
            containers.checkpoint(name, f'{turn}{step}', '--pre-dump', *parent)
            assert containers.state(name)['status'] == 'running'
            parent = ['--parent-path', f'../images{turn}{step}']
        images = containers.checkpoint(name, turn, *parent, '--auto-dedup')
        before = containers.count()
        assert (images / 'parent').is_symlink()
        containers.restore(name, images, '--auto-dedup')
        containers.check_alive(name, before)


def free_port():
    """A port nobody listens on."""
    with socket.create_server(('127.0.0.1', 0)) as listener:
        return listener.getsockname()[1]


def test_page_server(containers, criu):
    """--page-server: memory goes there, and is put beside the other images for the restore."""
    name, port = containers.name(), free_port()
    containers.run(name)
    pages = containers.folder / 'pages'
    pages.mkdir()
    with subprocess.Popen([criu, 'page-server', '-D', pages, '--address', '127.0.0.1', '--port', str(port), '-o', 'log', '-v4']) as server:
        wait_until(lambda: (pages / 'log').exists() and is_listening(port), 60, 'the page server does not start')
        images = containers.checkpoint(name, 1, '--page-server', f'127.0.0.1:{port}')
        assert server.wait(60) == 0
    before = containers.count()
    assert not [*images.glob('pages-*.img')]
    for path in pages.glob('*.img'):
        shutil.move(path, images)
    containers.restore(name, images)
    containers.check_alive(name, before)


def is_listening(port):
    """Without connecting: a page server serves one client only."""
    return any(f':{port:04X} ' in line.split()[1] + ' ' and line.split()[3] == '0A' for line in Path('/proc/net/tcp').read_text().splitlines()[1:])


def test_lazy(containers, criu):
    """--lazy-pages, --page-server, --status-fd: the dump serves pages while the restored container runs."""
    name, other, port = containers.name(), containers.name(2), free_port()
    containers.run(name)
    images = containers.folder / 'images1'
    images.mkdir()
    ready, status = os.pipe()
    command = [*containers.enter, 'runc', '--root', containers.folder / 'state', 'checkpoint', '--image-path', images, '--work-path', images,
               '--lazy-pages', '--page-server', f'127.0.0.1:{port}', '--status-fd', str(status), name]
    with (containers.folder / 'out').open('w') as out, subprocess.Popen(command, env=containers.env, pass_fds=[status], stdout=out, stderr=out) as dump:
        os.close(status)
        assert os.read(ready, 1) == b'\0', containers.logs()
        os.close(ready)
        before = containers.count()
        with subprocess.Popen([criu, 'lazy-pages', '--page-server', '--address', '127.0.0.1', '--port', str(port), '-D', images, '-W', images,
                               '-o', 'lazy.log', '-v4']) as daemon:
            wait_until((images / 'lazy-pages.socket').exists, 60, 'the lazy-pages daemon does not start')
            containers.restore(other, images, '--lazy-pages')
            containers.check_alive(other, before)
            assert daemon.wait(60) == 0
        assert dump.wait(60) == 0


def test_terminal_of_the_caller(containers):
    """--shell-job: standard streams are the terminal from which runc was started, and from which it is restored."""
    containers.configure(lambda config: config['process'].update(
        args=['/bin/sh', '-c', 'echo 9 > /count; echo kept > /dev/shm/kept; while read word; do echo "got $word"; done']))
    name = containers.name()

    def start(*words):
        """In a session that lives on."""
        pid, master = pty.fork()
        if not pid:
            command = [*containers.enter, 'sh', '-c', 'runc "$@"; exec sleep 1000', 'sh', '--root', containers.folder / 'state', *words]
            os.execvpe(command[0], [str(word) for word in command], containers.env)
        return pid, master
    pid, master = start('run', '-d', '--bundle', containers.bundle, name)
    for number in (1, 2):
        wait_until(lambda: containers.call('state', name, check=False)[0] == 0 and containers.state(name)['status'] == 'running', 60, 'it does not run')
        os.write(master, b'hello\n')
        text = b''
        while b'got hello' not in text:
            assert select.select([master], [], [], 60)[0], text
            text += os.read(master, 1000)
        images = containers.checkpoint(name, number, '--shell-job')
        end(pid, master)
        pid, master = start('restore', '-d', '--shell-job', '--bundle', containers.bundle, '--image-path', images, '--work-path', images, name)
    wait_until(lambda: containers.call('state', name, check=False)[0] == 0, 60, containers.logs)
    os.write(master, b'hello\n')
    end(pid, master)


def end(pid, master):
    """Of a session and its terminal."""
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    os.close(master)


def test_changed_configuration(containers):
    """Restored from another place, with other limits and another command in config.json: the limits count, the program is the saved one."""
    name, other = containers.name(), containers.name(2)
    containers.run(name)
    images = containers.checkpoint(name, 1)
    before = containers.count()
    moved = containers.folder / 'moved'
    shutil.move(containers.bundle, moved)
    containers.bundle = moved

    def change(config):
        config['process']['args'] = ['/bin/false']
        config['linux'].setdefault('resources', {})['pids'] = {'limit': 77}
    containers.configure(change)
    containers.restore(other, images)
    containers.check_alive(other, before)
    assert json.loads(containers.call('events', '--stats', other))['data']['pids']['limit'] == 77
