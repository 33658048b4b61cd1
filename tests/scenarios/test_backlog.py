# SPDX-License-Identifier: GPL-2.0-only
"""Connections that wait for accept(2) while a server is checkpointed: no client notices."""
import glob
import json
import os
import re
import shutil
import subprocess

import pytest

from apart import Apart
from room import PROGRAMS, wait_until

PYTHON = '/usr/bin/python3'
FPM = (glob.glob('/usr/sbin/php-fpm*') or [None])[0]

POOL = '''
[global]
pid = {0}/fpm.pid
error_log = {0}/fpm.log
daemonize = no
[web]
user = root
group = root
listen = {1}
listen.backlog = 100
pm = static
pm.max_children = 2
'''

# One script, whatever is asked for.
NGINX = '''
worker_processes 1;
daemon off;
user root;
pid {0}/nginx.pid;
error_log {0}/nginx.log;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {0}/1; proxy_temp_path {0}/2; fastcgi_temp_path {0}/3; uwsgi_temp_path {0}/4; scgi_temp_path {0}/5;
    server {{
        listen 10.77.0.2:80;
        location / {{
            fastcgi_pass {1};
            fastcgi_param SCRIPT_FILENAME {0}/slow.php;
            fastcgi_param REQUEST_METHOD $request_method;
            fastcgi_param REQUEST_URI $request_uri;
        }}
    }}
}}
'''


def count_answers(folder):
    """How many good ones there were."""
    path = folder / 'answers'
    return int(path.read_text()) if path.exists() else 0


def await_answers(folder, more):
    """That many more."""
    before = count_answers(folder)
    wait_until(lambda: count_answers(folder) >= before + more, 60, lambda: f'only {count_answers(folder) - before} answers')


def change_images(crit, images, name, change):
    """Calls change() with the entries of each image of that name."""
    for path in images.glob(name):
        text = json.loads(subprocess.run([crit, 'decode', '-i', path], capture_output=True, check=True).stdout)
        for entry in text['entries']:
            change(entry)
        subprocess.run([crit, 'encode', '-o', path], input=json.dumps(text).encode(), check=True)


def checkpoint_under_load(apart, folder, change=lambda images: None):
    """Twice, and calls change() in between; returns in how many images somebody waited."""
    apart.room.start(folder / 'load.out', PYTHON, PROGRAMS / 'web-load.py', '10.77.0.2', 80, 40, folder)
    waited = 0
    for _ in range(2):
        await_answers(folder, 30)
        images = apart.dump()
        waited += (images / 'tcp-backlog.img').exists() or (images / 'sk-queues.img').exists()
        change(images)
        apart.restore(images, '--external', 'veth[eth0]:ve0@br0')
    await_answers(folder, 30)
    (folder / 'enough').touch()
    wait_until((folder / 'result').exists, 60, 'the clients do not end')
    result = (folder / 'result').read_text()
    asked, answered = re.match(r'(\d+) asked, (\d+) answered', result).groups()
    assert asked == answered, result
    return waited


@pytest.fixture
def direct(room, criu):
    """A server that serves one client at a time, the others wait with their requests."""
    apart = Apart(room, criu, 'web-in-namespace.py', 'direct')
    apart.join_by_veth()
    apart.serve()
    return apart


def test_clients_outside(direct, folder):
    """They get their answers, also when the first restore fails after all is made."""
    def fail_first(images):
        said = direct.room.run(direct.criu, 'verify', '-D', images).stdout
        assert re.search(r'10\.77\.0\.2:80 -> 10\.77\.0\.1:\d+', said) and 'wait for accept' in said, said
        done = direct.room.run(direct.criu, 'restore', '-d', '-D', images, '--tcp-established', '--external', 'veth[eth0]:ve0@br0',
                               env={**os.environ, 'CRIU_FAIL_AT': 'restore/settle/file'})
        assert done.returncode == 1 and 'restore/settle/file' in done.stdout, done.stdout
        wait_until(lambda: 've0' not in direct.outside('ip -o link'), 20, 'a device is left behind')

    assert checkpoint_under_load(direct, folder, fail_first) == 2


@pytest.mark.parametrize('clock', ('ahead', 'behind'))
def test_another_boot(direct, build, folder, clock):
    """The clock of time stamps is another one: it may go on if that is ahead, else they are given up, which is told."""
    def pretend(images):
        change_images(build / 'crit', images, 'tcp-backlog.img', lambda entry: entry.update(boot='another'))
        if clock == 'behind':
            change_images(build / 'crit', images, 'tcp-stream-*.img',
                          lambda entry: entry.update(timestamp=(entry.get('timestamp', 0) + 100000000) % 2**32))

    assert checkpoint_under_load(direct, folder, pretend) == 2
    assert ('goes on without time stamps' in direct.told) == (clock == 'behind')


def test_dropped(direct, folder):
    """With --tcp-close at the restore they are dropped, and those that come later are served."""
    direct.room.start(folder / 'load.out', PYTHON, PROGRAMS / 'web-load.py', '10.77.0.2', 80, 10, folder)
    await_answers(folder, 10)
    images = direct.dump()
    assert (images / 'tcp-backlog.img').exists()
    done = direct.room.run(direct.criu, 'restore', '-d', '-D', images, '--tcp-close', '--external', 'veth[eth0]:ve0@br0')
    assert done.returncode == 0, done.stdout
    (folder / 'later').mkdir()
    direct.room.start(folder / 'later.out', PYTHON, PROGRAMS / 'web-load.py', '10.77.0.2', 80, 1, folder / 'later')
    await_answers(folder / 'later', 3)


def test_bound_to_a_device(room, criu):
    """The segments that fill a backlog come by the loopback device: refused if somebody waits."""
    room.run('/sbin/ip', 'link', 'set', 'lo', 'up')
    pid = room.start(room.folder / 'out', PYTHON, PROGRAMS / 'unsaved-socket.py', 'bound', room.folder)
    wait_until((room.folder / 'inside').exists, 20, 'it does not start')
    for command in (('dump', '-D', room.folder, '-t'), ('check', '--tree')):
        done = room.run(criu, *command, pid, '--tcp-established')
        assert done.returncode != 0 and 'bound to a network device' in done.stdout, done.stdout


@pytest.mark.skipif(not FPM or not shutil.which('nginx'), reason='there is no php-fpm, or no nginx')
@pytest.mark.parametrize('kind', ('tcp', 'unix'))
def test_php_behind_nginx(room, criu, folder, kind):
    """Two processes of php-fpm, all other requests of nginx wait in the backlog of its socket."""
    os.chmod(folder, 0o777)
    listen = '127.0.0.1:9000' if kind == 'tcp' else folder / 'fpm.socket'
    (folder / 'slow.php').write_text('<?php usleep(50000); echo "answer to " . $_SERVER["REQUEST_URI"];')
    (folder / 'fpm.conf').write_text(POOL.format(folder, listen))
    (folder / 'nginx.conf').write_text(NGINX.format(folder, f'unix:{listen}' if kind == 'unix' else listen))
    apart = Apart(room, criu, 'web-in-namespace.py', f'{FPM} -R -n -F -y {folder}/fpm.conf',
                  f'{shutil.which("nginx")} -c {folder}/nginx.conf -p {folder} -e {folder}/nginx.log')
    apart.join_by_veth()
    (folder / 'go').touch()
    wait_until(lambda: 'ready to handle' in apart.outside(f'cat {folder}/fpm.log', True), 20, 'php-fpm does not start')
    assert checkpoint_under_load(apart, folder) == 2
