# SPDX-License-Identifier: GPL-2.0-only
"""Programs of the distribution in containers of podman, with clients outside that talk all the time; and a whole system with systemd."""
import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from engine import COUNT, need, talk
from podman import run_podman
from room import PROGRAMS, wait_until

sys.path.insert(0, str(PROGRAMS))
from load import content     # noqa: E402  pylint: disable=wrong-import-position

PORT = '7700'
PATH = '/usr/sbin:/usr/bin'
# What the host has is there in the container, too.
HOST = [word for path in ('/usr', '/lib', '/lib64') for word in ('-v', f'{path}:{path}:ro')]
SERVERS = {
    'redis-server': (['--port', PORT, '--protected-mode', 'no', '--save', '1', '1', '--dir', '/tmp'], 'redis'),
    'nginx': (['-c', '/data/nginx.conf'], 'files'),
    'node': (['/programs/server.js', PORT], 'counting'),
    'java': (['-Xmx64m', '/programs/Server.java', PORT], 'counting'),
    'python3': (['/programs/server.py', PORT], 'counting'),
}
NGINX = f'''
daemon off; user root; worker_processes 2; pid /tmp/pid; error_log stderr;
events {{}}
http {{ access_log off; keepalive_requests 1000000; client_body_temp_path /tmp/1; proxy_temp_path /tmp/2; fastcgi_temp_path /tmp/3;
uwsgi_temp_path /tmp/4; scgi_temp_path /tmp/5; server {{ listen {PORT}; root /data/files; }} }}
'''
UNITS = {
    'count.service': f"[Service]\nExecStart=/bin/sh -c '{COUNT.replace('$', '$$').replace('echo $$i', 'echo $$i > /run/count')}'\n",
    'tick.timer': '[Timer]\nOnActiveSec=1\nOnUnitActiveSec=1\nAccuracySec=100ms\n',
    'tick.service': "[Unit]\nStartLimitIntervalSec=0\n[Service]\nType=oneshot\nExecStart=/bin/sh -c 'echo x >> /run/ticks'\n",
    'echo.socket': '[Socket]\nListenStream=7777\nAccept=yes\n',
    'echo@.service': '[Service]\nExecStart=/bin/cat\nStandardInput=socket\n',
}


@pytest.fixture(scope='module')
def engine(criu):
    """A Podman."""
    need('runc')
    yield from run_podman(criu)


class Load:
    """Clients outside, and what they say."""

    def __init__(self, folder, kind, address):
        self.path, self.log = folder / 'status', folder / 'load.out'
        self.path.unlink(missing_ok=True)
        with self.log.open('w') as out:
            self.clients = subprocess.Popen([sys.executable, PROGRAMS / 'load.py', kind, PORT, '10', self.path, address], stdout=out, stderr=out)

    def right(self):
        """Answers that were right; none may be wrong."""
        status = json.loads(self.path.read_text()) if self.path.exists() else {'count': 0, 'error': None}
        assert not status['error'], status['error']
        return status['count']

    def goes_on(self):
        """Many more right answers."""
        before = self.right()
        wait_until(lambda: self.right() > before + 50, 60, lambda: f'no answers: {self.log.read_text()}')


def listens(address):
    """Somebody accepts there."""
    try:
        socket.create_connection((address, int(PORT)), timeout=5).close()
    except OSError:
        return False
    return True


@pytest.mark.parametrize('name', SERVERS)
def test_under_load(podman, name):
    """Twice, and all clients keep their connections."""
    need(name)
    words, kind = SERVERS[name]
    work = podman.folder / name
    (work / 'files').mkdir(parents=True)
    for k in range(1, 9):
        (work / f'files/{k}').write_bytes(content(k, 3) * k)
    (work / 'nginx.conf').write_text(NGINX)
    program = os.path.realpath(shutil.which(name, path=PATH)) if name == 'java' else shutil.which(name, path=PATH)     # not by way of /etc/alternatives
    settings = [word for path in Path('/etc').glob('java-*') for word in ('-v', f'{path}:{path}:ro')]
    podman.run('one', *HOST, *settings, '-v', f'{work}:/data', '-v', f'{PROGRAMS}:/programs:ro', script=f'{program} {" ".join(words)} > /tmp/log 2>&1 & {COUNT}')
    address = podman.state('one')['NetworkSettings']['IPAddress']
    wait_until(lambda: listens(address), 60, lambda: podman.call('exec', 'one', '/bin/cat', '/tmp/log'))
    load = Load(work, kind, address)
    try:
        load.goes_on()
        for _ in range(2):
            # The connection that only looked whether it listens is gone.
            podman.call('container', 'checkpoint', '--tcp-established', 'one')
            podman.call('container', 'restore', '--tcp-established', 'one')
            load.goes_on()
    finally:
        load.clients.kill()
        load.clients.wait()


def make_system(podman, build):
    """An image of a Debian with services, timers and sockets of ours."""
    root = podman.folder / 'system'
    root.mkdir()
    subprocess.run(['tar', '-C', root, '-xf', build / 'system.tar'], check=True)
    for name, text in UNITS.items():
        (root / 'etc/systemd/system' / name).write_text(text)
        wants = root / 'etc/systemd/system/multi-user.target.wants'
        if name in ('count.service', 'tick.timer', 'echo.socket'):
            (wants / name).symlink_to(f'/etc/systemd/system/{name}')
    subprocess.run(['tar', '-C', root, '-cf', podman.folder / 'system.tar', '.'], check=True)
    podman.call('import', podman.folder / 'system.tar', 'system')
    shutil.rmtree(root)


@pytest.mark.parametrize('options', ['', '-t'])
def test_system(podman, build, options):
    """systemd, journald, D-Bus, logind, a user's session, timers and sockets; a client outside of a service that a socket has started."""
    if not (build / 'system.tar').exists():
        pytest.skip('there is no system.tar: tests/clients/build-system')
    if not podman.call('images', '-q', 'system'):
        make_system(podman, build)

    def run(*words):
        return podman.call('exec', 'one', *words, check=False)[1].strip()
    podman.call('run', '-d', '--name', 'one', '--systemd', 'always', *options.split(), 'system', '/sbin/init')
    wait_until(lambda: run('systemctl', 'is-system-running') == 'running', 60, lambda: run('systemctl', '--failed'))
    run('useradd', '-m', 'somebody')
    run('loginctl', 'enable-linger', 'somebody')
    with socket.create_connection((podman.state('one')['NetworkSettings']['IPAddress'], 7777), timeout=60) as connection:
        talk(connection)
        for number in (1, 2):
            count, ticks = int(run('cat', '/run/count')), len(run('cat', '/run/ticks'))
            podman.call('container', 'checkpoint', '--tcp-established', '--file-locks', 'one')
            podman.call('container', 'restore', '--tcp-established', '--file-locks', 'one')
            talk(connection)
            wait_until(lambda: int(run('cat', '/run/count') or 0) > count, 60, 'the service stands still')   # pylint: disable=cell-var-from-loop
            wait_until(lambda: len(run('cat', '/run/ticks')) > ticks + 1, 60, 'the timer is late')   # pylint: disable=cell-var-from-loop
            assert run('systemctl', 'is-system-running') == 'running' and run('systemctl', 'restart', 'cron') == ''
            run('sh', '-c', f'echo hello {number} | systemd-cat -t test; journalctl --sync')
            assert f'hello {number}' in run('journalctl', '--no-pager', '-t', 'test')
            assert 'somebody' in run('loginctl', 'list-users', '--no-legend')
            assert run('su', '-', 'somebody', '-c', 'XDG_RUNTIME_DIR=/run/user/1000 systemctl --user is-system-running') == 'running'
            assert run('systemd-run', '--wait', '-q', 'true') == ''
