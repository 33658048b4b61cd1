# SPDX-License-Identifier: GPL-2.0-only
"""Programs of the distribution under load: their clients, outside of the tree, notice nothing but a pause. Skips what is not installed."""
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from room import PROGRAMS, wait_until

sys.path.insert(0, str(PROGRAMS))
from load import content     # noqa: E402  pylint: disable=wrong-import-position

PYTHON = '/usr/bin/python3'
PORT = 7700
NGINX = '''
daemon off; worker_processes 2; pid {0}/pid; error_log {0}/error.log;
events {{}}
http {{ access_log off; keepalive_requests 1000000; server {{ listen 127.0.0.1:{1}; root {0}/files; }} }}
'''


def prepare_nginx(folder):
    """Its configuration, and files to serve. Its workers are another user's."""
    (folder / 'files').mkdir()
    for k in range(1, 9):
        (folder / f'files/{k}').write_bytes(content(k, 3) * k)
    (folder / 'nginx.conf').write_text(NGINX.format(folder, PORT))


def prepare_multipath(name, build, folder, environment):
    """The program, or what is preloaded into it."""
    if not Path('/proc/sys/net/mptcp/enabled').exists():
        pytest.skip('this kernel has no Multipath TCP')
    if not name.startswith('go'):
        environment['LD_PRELOAD'] = str(build / 'tests/subjects/libmultipath.so')
    elif not shutil.which('go'):
        pytest.skip('go is not installed')
    else:
        subprocess.run(['go', 'build', '-o', folder / 'multipath', PROGRAMS / 'multipath.go'], check=True,
                       env={**environment, 'GOCACHE': str(folder / 'go-cache'), 'GOFLAGS': '-mod=mod', 'HOME': str(folder)})


def command_of(name, folder, build):
    """How it is started, and the kind of the load on it."""
    java = ['java', '-Xmx64m', '-XX:-UsePerfData']
    return {
        'redis': (['redis-server', '--port', PORT, '--save', '1 1', '--appendonly', 'yes', '--dir', folder], 'redis'),
        'memcached': (['memcached', '-u', 'nobody', '-l', '127.0.0.1', '-p', PORT], 'memcached'),
        'nginx': (['nginx', '-c', folder / 'nginx.conf', '-e', folder / 'error.log'], 'files'),
        'node': (['node', PROGRAMS / 'server.js', PORT], 'counting'),
        'java-g1': ([*java, '-XX:+UseG1GC', '-XX:ParallelGCThreads=3', PROGRAMS / 'Server.java', PORT], 'counting'),
        'java-parallel': ([*java, '-XX:+UseParallelGC', '-XX:ParallelGCThreads=3', PROGRAMS / 'Server.java', PORT], 'counting'),
        'io_uring': ([build / 'tests/programs/uring-echo', PORT], 'echo'),
        'io_uring-of-one': ([build / 'tests/programs/uring-echo', PORT, 0x3000], 'echo'),     # SINGLE_ISSUER, DEFER_TASKRUN
        'io_uring-multishot': ([build / 'tests/programs/uring-multishot', PORT], 'echo'),
        'python': ([PYTHON, PROGRAMS / 'server.py', PORT], 'counting'),
        'redis-multipath': (['redis-server', '--port', PORT, '--save', '', '--dir', folder], 'redis'),
        'nginx-multipath': (['nginx', '-c', folder / 'nginx.conf', '-e', folder / 'error.log'], 'files'),
        'go-multipath': ([folder / 'multipath', PORT], 'counting'),
    }[name]


# By a listener of Multipath TCP, as Go 1.24 makes it, and mptcpize lets others do.
MULTIPATH = ['redis-multipath', 'nginx-multipath', 'go-multipath']
NAMES = ['redis', 'memcached', 'nginx', 'node', 'java-g1', 'java-parallel', 'io_uring', 'io_uring-of-one', 'io_uring-multishot', 'python',
         *MULTIPATH]


class Load:
    """The client, and what it says."""

    def __init__(self, room, folder, kind, **more):
        self.path = folder / 'status'
        self.pid = room.start(folder / 'load.out', PYTHON, PROGRAMS / 'load.py', kind, PORT, 20, self.path, **more)

    def goes_on(self, what):
        """Many more right answers, and none that is wrong."""
        def read():
            status = json.loads(self.path.read_text()) if self.path.exists() else {'count': 0, 'error': None}
            assert not status['error'], f'{what}: {status["error"]}'
            return status['count']
        before = read()
        wait_until(lambda: read() > before + 100, 30, f'{what}: no answers')


@pytest.mark.parametrize('name', NAMES)
def test_under_load(room, criu, build, folder, name):
    """Dumped, killed and restored twice, then dumped with --leave-running three times."""
    command, kind = command_of(name, folder, build)
    if name != 'go-multipath' and not shutil.which(str(command[0]), path='/usr/sbin:/usr/bin:/sbin:/bin'):
        pytest.skip(f'{command[0]} is not installed')
    if kind == 'echo' and tuple(int(part) for part in os.uname().release.split('.')[:2]) < (6, 16):
        pytest.skip('it takes Linux 6.16 to save an io_uring')
    if name.startswith('nginx'):
        prepare_nginx(folder)
    environment = {**os.environ, 'PATH': '/usr/sbin:/usr/bin:/sbin:/bin'}
    if name in MULTIPATH:
        prepare_multipath(name, build, folder, environment)
    pid = room.start(folder / 'server.out', *command, env=environment)
    wait_until(lambda: room.run(PYTHON, '-c', f'import socket; socket.create_connection(("127.0.0.1", {PORT}))').returncode == 0,
               30, 'the server does not listen')
    load = Load(room, folder, kind)
    load.goes_on('before')
    for i in range(5):
        images = folder / f'images-{i}'
        images.mkdir()
        options = ['--tcp-established', '--file-locks', '-v4']
        # The connection that only looked whether it listens may still wait to be accepted.
        done = room.run(criu, 'dump', '-t', pid, '-D', images, *options, '--skip-in-flight', '-o', 'dump.log',
                        *(['--leave-running'] if i > 1 else []))
        assert done.returncode == 0, done.stdout
        if i < 2:
            done = room.run(criu, 'restore', '-d', '-D', images, *options, '-o', 'restore.log')
            assert done.returncode == 0, done.stdout
        load.goes_on(f'after dump {i}')
        shutil.rmtree(images)
    assert (room.proc / f'{pid}').exists()


def test_multipath_clients(room, criu, build, folder):
    """Clients whose connections have fallen back from Multipath TCP to TCP go on, and their server outside of the tree notices nothing."""
    environment = dict(os.environ)
    prepare_multipath('clients', build, folder, environment)
    room.start(folder / 'server.out', PYTHON, PROGRAMS / 'server.py', PORT)
    wait_until(lambda: room.run(PYTHON, '-c', f'import socket; socket.create_connection(("127.0.0.1", {PORT}))').returncode == 0,
               30, 'the server does not listen')
    load = Load(room, folder, 'counting', env=environment)
    load.goes_on('before')
    for i in range(2):
        images = folder / f'images-{i}'
        images.mkdir()
        options = ['-D', images, '--tcp-established', '-v4']
        done = room.run(criu, 'dump', '-t', load.pid, *options, '-o', 'dump.log')
        said = (images / 'dump.log').read_text()
        assert done.returncode == 0, said
        assert ('SO_PROTOCOL' in said) == (i == 0), said
        done = room.run(criu, 'restore', '-d', *options, '-o', 'restore.log')
        assert done.returncode == 0, (images / 'restore.log').read_text()
        load.goes_on(f'after restore {i}')


def find_postgres():
    """The directory of its programs, which is in no path."""
    found = sorted(Path('/usr/lib/postgresql').glob('*/bin/postgres'))
    return found[-1].parent if found else None


class Session:
    """psql or mariadb, outside of the tree."""

    def __init__(self, room, folder, *client):
        os.mkfifo(folder / 'questions')
        self.out = folder / 'answers'
        room.start(self.out, 'sh', '-c', f'exec "$@" < {folder}/questions', 'client', *client)
        self.questions = open(folder / 'questions', 'w', encoding='ascii', buffering=1)     # pylint: disable=consider-using-with

    def ask(self, question, wanted):
        """The last words of the answer must be those that are wanted."""
        self.questions.write(question + '\n')
        wait_until(lambda: self.out.read_text().split()[-len(wanted):] == wanted, 10,
                   f'{question}: {self.out.read_text()[-300:]}')


def test_postgres(room, criu, folder):
    """A transaction with a cursor stays open over two checkpoints, with pgbench beside it."""
    programs = find_postgres()
    if not programs:
        pytest.skip('postgresql is not installed')
    data = folder / 'data'
    data.mkdir()
    shutil.chown(data, 'postgres', 'postgres')
    as_user = ['setpriv', '--reuid', 'postgres', '--regid', 'postgres', '--clear-groups']
    done = room.run(*as_user, programs / 'initdb', '-D', data, '-A', 'trust', '-N')
    assert done.returncode == 0, done.stdout
    pid = room.start(folder / 'server.out', *as_user, programs / 'postgres', '-D', data, '-k', data, '-h', '127.0.0.1', '-p', PORT)
    tool = ['-h', '127.0.0.1', '-p', PORT, '-U', 'postgres']
    wait_until(lambda: room.run(programs / 'pgbench', *tool, '-i', '-q', 'postgres').returncode == 0, 30, 'the server does not run')
    room.start(folder / 'bench.out', programs / 'pgbench', *tool, '-T', 300, '-c', 4, '-P', 1, 'postgres')
    session = Session(room, folder, programs / 'psql', *tool, '-At')
    session.ask('create table t(i int); begin; insert into t select generate_series(1, 1000); select count(*) from t;', ['1000'])
    session.ask('declare c cursor for select i from t order by i; fetch 2 from c;', ['1', '2'])
    wait_until(lambda: 'progress' in (folder / 'bench.out').read_text(), 10, 'pgbench does not run')
    for i in range(2):
        images = folder / f'images-{i}'
        images.mkdir()
        done = room.run(criu, 'dump', '-t', pid, '-D', images, '--tcp-established', '--file-locks')
        assert done.returncode == 0, done.stdout
        done = room.run(criu, 'restore', '-d', '-D', images, '--tcp-established', '--file-locks')
        assert done.returncode == 0, done.stdout
        session.ask('fetch 2 from c;', [str(3 + 2 * i), str(4 + 2 * i)])
        said = len((folder / 'bench.out').read_text())
        wait_until(lambda n=said: len((folder / 'bench.out').read_text()) > n, 10, 'pgbench stands still')
    session.ask('commit; select sum(i) from t;', ['COMMIT', '500500'])
    assert 'rror' not in (folder / 'bench.out').read_text()
    session.ask('select sum(abalance) - (select sum(bbalance) from pgbench_branches) from pgbench_accounts;', ['0'])


def start_mariadb(room, folder):
    """Its pid, and how a client is called. Its memory for tables is small, so that it reads and writes all the time, by an io_uring."""
    data = folder / 'data'
    data.mkdir()
    shutil.chown(data, 'mysql', 'mysql')
    done = room.run('mariadb-install-db', '--no-defaults', '--user=mysql', f'--datadir={data}', '--auth-root-authentication-method=normal')
    assert done.returncode == 0, done.stdout
    pid = room.start(folder / 'server.out', 'mariadbd', '--no-defaults', '--user=mysql', f'--datadir={data}', f'--socket={data}/socket',
                     f'--port={PORT}', '--bind-address=127.0.0.1', '--innodb-use-native-aio=ON', '--innodb-buffer-pool-size=6M',
                     '--innodb-flush-method=O_DIRECT', '--innodb-max-dirty-pages-pct=0')
    client = ['mariadb', '--no-defaults', '-h127.0.0.1', f'-P{PORT}', '-uroot', '-n', '-N']
    wait_until(lambda: room.run(*client, '-e', 'select 1').returncode == 0, 60, 'the server does not run')
    return pid, client


def has_uring(room, pid):
    """One of its descriptors is an io_uring."""
    return any('io_uring' in os.readlink(entry) for entry in (room.proc / f'{pid}/fd').iterdir())


@pytest.mark.skipif(tuple(int(part) for part in os.uname().release.split('.')[:2]) < (6, 16),
                    reason='it takes Linux 6.16 to save an io_uring')
def test_mariadb(room, criu, folder):
    """Its io_uring reads and writes for clients that move amounts between rows; none is lost, and a transaction stays open."""
    if not shutil.which('mariadbd', path='/usr/sbin'):
        pytest.skip('mariadb is not installed')
    pid, client = start_mariadb(room, folder)
    if not has_uring(room, pid):
        pytest.skip('this mariadb does not use io_uring')
    done = room.run('sh', '-c', f'exec "$@" < {PROGRAMS}/transfers.sql', 'client', *client)
    assert done.returncode == 0, done.stdout
    outputs = [folder / f'client-{i}' for i in range(4)]
    for output in outputs:
        room.start(output, 'sh', '-c', 'yes "call transfer(10);" | exec "$@"', 'client', *client, 'bank')
    session = Session(room, folder, *client, 'bank')
    session.ask('start transaction; insert into notes values (1), (2); select count(*) from notes;', ['2'])
    for i in range(2):
        images = folder / f'images-{i}'
        images.mkdir()
        said = [len(output.read_text()) for output in outputs]
        done = room.run(criu, 'dump', '-t', pid, '-D', images, '--tcp-established', '--file-locks')
        assert done.returncode == 0, done.stdout
        done = room.run(criu, 'restore', '-d', '-D', images, '--tcp-established', '--file-locks')
        assert done.returncode == 0, done.stdout
        assert has_uring(room, pid)
        for output, before in zip(outputs, said):
            wait_until(lambda o=output, b=before: len(o.read_text()) > b, 60, f'{output} stands still')
        session.ask(f'insert into notes values ({i}); select count(*) from notes;', [str(3 + i)])
    session.ask('commit; select sum(amount) from accounts;', ['1000000'])
    assert {word for output in outputs for word in output.read_text().split()} == {'done'}
    session.ask('check table accounts;', ['OK'])
