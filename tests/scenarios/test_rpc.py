# SPDX-License-Identifier: GPL-2.0-only
"""criu swrk and criu service: requests, notifications, several clients, hostile clients."""
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import sys
import time

import pytest
import rpc
from room import PROGRAMS

NOBODY = 65534


@pytest.fixture
def sleeper():
    """A process to dump, in a session of its own."""
    with subprocess.Popen(['sleep', '1000'], start_new_session=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL) as process:
        wait_for(lambda: os.readlink(f'/proc/{process.pid}/exe').endswith('sleep'))
        yield process
        process.kill()


@pytest.fixture
def images(folder):
    """A directory for images: its path and a descriptor of it."""
    path = folder / 'images'
    path.mkdir()
    fd = rpc.open_dir(path)
    yield path, fd
    os.close(fd)


@pytest.fixture
def service(criu, folder):
    """The path of a running service's socket."""
    words = [criu, 'service', '-W', folder, '--address', 'socket', '-o', 'service.log', '-v4']
    with subprocess.Popen(list(map(str, words))) as process:
        yield folder / 'socket'
        assert process.poll() is None, 'the service has ended: ' + (folder / 'service.log').read_text()
        process.kill()


def wait_for(condition, seconds=60):
    """Polls."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_questions(criu):
    """Several questions on one connection that is kept open."""
    with rpc.start_swrk(criu) as client:
        reply = client.call('VERSION', keep_open=True)
        assert reply == {'type': 'VERSION', 'success': True, 'version': {'major_number': 4, 'minor_number': 2}}
        reply = client.call('FEATURE_CHECK', features={'pidfd_store': True}, keep_open=True)
        assert reply['success'] and reply['features'] == {'mem_track': False, 'lazy_pages': False, 'pidfd_store': True}
        assert client.call('CHECK')['success']
        assert client.receive() is None
        assert client.status() == 0


def test_dump_and_restore(criu, sleeper, images):
    """With notifications; the restored task is a child of the client if it wants that."""
    path, fd = images
    with rpc.start_swrk(criu) as client:
        reply = client.call('DUMP', {'images_dir_fd': fd, 'pid': sleeper.pid, 'log_file': 'dump.log', 'log_level': 4,
                                     'notify_scripts': True})
        assert reply == {'type': 'DUMP', 'success': True, 'dump': {'restored': False}}, reply
        assert client.told == [('pre-dump', None), ('query-ext-files', None), ('post-dump', None)]
        assert client.status() == 0
    assert sleeper.wait() == -signal.SIGKILL
    assert 'Dumping finished successfully' in (path / 'dump.log').read_text()
    with rpc.start_swrk(criu) as client:
        reply = client.call('RESTORE', {'images_dir_fd': fd, 'notify_scripts': True, 'rst_sibling': True})
        assert reply['success'] and reply['restore'] == {'pid': sleeper.pid}, reply
        assert client.told == [('pre-restore', None), ('post-restore', sleeper.pid), ('pre-resume', None), ('post-resume', None)]
    assert (path / 'criu.log').exists()
    os.kill(sleeper.pid, signal.SIGKILL)
    assert os.waitpid(sleeper.pid, 0) == (sleeper.pid, signal.SIGKILL)


@pytest.mark.parametrize('script', ['pre-dump', 'query-ext-files', 'post-dump'])
@pytest.mark.parametrize('answer', ['refuse', 'other', 'gone'])
def test_client_stops_the_dump(criu, sleeper, images, script, answer):
    """A client that refuses, answers by something else or goes away: the task runs on."""
    def say(asked):
        if asked != script:
            return {}
        if answer == 'gone':
            client.sock.shutdown(socket.SHUT_RDWR)
        return {'notify_success': False} if answer == 'refuse' else {'type': 'VERSION'}
    with rpc.start_swrk(criu) as client:
        client.answer = say
        try:
            reply = client.call('DUMP', {'images_dir_fd': images[1], 'pid': sleeper.pid, 'notify_scripts': True})
        except BrokenPipeError:
            reply = None
        if answer == 'gone':
            assert not reply and client.status() == 255
        else:
            assert not reply['success'] and script in reply['cr_errmsg'] and reply['cr_errno'], reply
            assert client.status() == 1
    assert sleeper.poll() is None
    # Let go, it may still be on its way back to sleep; stopped or traced it must never stay.
    status = pathlib.Path(f'/proc/{sleeper.pid}/status')
    wait_for(lambda: 'State:\tS' in status.read_text())
    assert 'TracerPid:\t0\n' in status.read_text()


def test_client_in_the_tree(service, images):
    """A client that is stopped with the tree cannot answer, and is not asked then."""
    done = subprocess.run([sys.executable, PROGRAMS / 'client-in-tree.py', service, images[0]], stdout=subprocess.PIPE, text=True, check=True, timeout=120,
                          start_new_session=True, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    assert done.stdout == "True [('pre-dump', None)]\n", done.stdout


def test_client_adds_external_files(criu, images):
    """What the answer to query-ext-files names is left out of the dump as if --external had named it."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    with subprocess.Popen(['sleep', '1000'], start_new_session=True, stdin=theirs.fileno(), stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL) as process:
        inode = os.fstat(ours.fileno()).st_ino
        for more, good in (({}, False), ({'opts': {'images_dir_fd': -1, 'external': [f'unix[{inode}]']}}, True)):
            with rpc.start_swrk(criu) as client:
                client.answer = lambda script, more=more: more if script == 'query-ext-files' else {}
                reply = client.call('DUMP', {'images_dir_fd': images[1], 'pid': process.pid, 'notify_scripts': True,
                                             'leave_running': True})
                assert reply['success'] == good, reply
        process.kill()


@pytest.mark.parametrize('opts, number, text', [
    ({'log_file': '../x'}, 56, 'log_file'),
    ({'images_dir_fd': 999}, 56, 'images directory'),
    ({'empty_ns': 1}, 56, 'empty_ns'),
    ({'pid': 4194000}, 3, 'there is no process 4194000'),
])
def test_refused_options(criu, sleeper, images, opts, number, text):
    """With the error codes that clients know, and the first line of the log."""
    with rpc.start_swrk(criu) as client:
        reply = client.call('DUMP', {'images_dir_fd': images[1], 'pid': sleeper.pid, **opts})
        assert not reply['success'] and reply['cr_errno'] == number
        assert reply['cr_errmsg'].startswith('Error (') and text in reply['cr_errmsg'] and reply['cr_errmsg'].endswith('\n')
        assert client.status() == 1
    assert sleeper.poll() is None


def test_taken_pid(criu, sleeper, images):
    """EEXIST."""
    opts = {'images_dir_fd': images[1]}
    with rpc.start_swrk(criu) as client:
        assert client.call('DUMP', {**opts, 'pid': sleeper.pid, 'leave_running': True})['success']
    with rpc.start_swrk(criu) as client:
        reply = client.call('RESTORE', opts)
        assert (reply['success'], reply['cr_errno'], reply['restore']) == (False, 17, {'pid': -1}), reply


def test_exec_cmd(criu, sleeper, images):
    """The worker becomes the command after its answer, and is the parent of the restored task."""
    opts = {'images_dir_fd': images[1]}
    with rpc.start_swrk(criu) as client:
        assert client.call('DUMP', {**opts, 'pid': sleeper.pid})['success']
    sleeper.wait()
    with rpc.start_swrk(criu) as client:
        script = f'read _ _ _ parent _ < /proc/{sleeper.pid}/stat; echo parent $((parent == $$)); kill -9 {sleeper.pid}'
        assert client.call('RESTORE', {**opts, 'log_file': 'restore.log', 'exec_cmd': ['bash', '-c', script]})['success']
        assert client.receive() is None
        assert client.status() == 0
    assert 'parent 1' in (images[0] / 'restore.log').read_text()


@pytest.mark.parametrize('kind', ['EMPTY', 'NOTIFY', 77])
def test_no_such_request(criu, kind):
    """Answered by EMPTY."""
    with rpc.start_swrk(criu) as client:
        reply = client.call(kind)
        assert reply['type'] == 'EMPTY' and not reply['success'] and 'invalid request' in reply['cr_errmsg']
        assert client.status() == 255


def test_keep_open_is_not_for_all(criu, sleeper, images):
    """Closed without an answer."""
    with rpc.start_swrk(criu) as client:
        assert client.call('DUMP', {'images_dir_fd': images[1], 'pid': sleeper.pid}, keep_open=True) is None
        assert client.status() == 255
    assert sleeper.poll() is None


def test_service(criu, service, sleeper, images):
    """Dump and restore, while other clients are connected."""
    idle = rpc.connect(service)
    mode = service.stat().st_mode
    assert mode & 0o777 == 0o666
    with rpc.connect(service) as client:
        reply = client.call('DUMP', {'images_dir_fd': images[1], 'pid': sleeper.pid})
        assert reply['success'], reply
    sleeper.wait()
    for opts in ({'rst_sibling': True}, {'inherit_fd': [{'key': 'x', 'fd': 1}]}):
        with rpc.connect(service) as client:
            reply = client.call('RESTORE', {'images_dir_fd': images[1], **opts})
            assert not reply['success'] and reply['cr_errno'] == 56 and 'swrk' in reply['cr_errmsg']
    with rpc.connect(service) as client:
        reply = client.call('RESTORE', {'images_dir_fd': images[1]})
        assert reply['success'] and reply['restore']['pid'] == sleeper.pid, reply
    os.kill(sleeper.pid, signal.SIGKILL)
    assert idle.call('VERSION')['success']
    idle.sock.close()
    assert criu


def test_service_for_users(service, sleeper, images):
    """A client has its own rights: others' tasks and directories are refused to it."""
    os.chown(images[0], NOBODY, NOBODY)

    def ask(kind, opts):
        """The reply that an ordinary user gets."""
        read, write = os.pipe()
        pid = os.fork()
        if not pid:
            try:
                os.setgroups([])
                os.setgid(NOBODY)
                os.setuid(NOBODY)
                with rpc.connect(service) as client:
                    os.write(write, json.dumps(client.call(kind, opts)).encode())
            finally:
                os._exit(0)
        os.waitpid(pid, 0)
        os.close(write)
        with os.fdopen(read) as file:
            return json.load(file)

    rpc.connect(service).sock.close()
    assert ask('VERSION', {})['success']
    reply = ask('DUMP', {'images_dir': str(images[0]), 'pid': sleeper.pid})
    assert not reply['success'] and reply['cr_errno'] in (1, 13), reply
    assert sleeper.poll() is None
    reply = ask('DUMP', {'images_dir': '/etc', 'pid': sleeper.pid})
    assert not reply['success'] and reply['cr_errno'] == 56, reply
    assert not os.path.exists('/etc/criu.log')


def test_hostile_clients(service, folder):
    """Noise, emptiness, greed and haste end their own connection at most."""
    generator = random.Random(1)
    for _ in range(200):
        with rpc.connect(service) as client:
            good = rpc.encode('criu_req', {'type': 'VERSION', 'opts': {'images_dir_fd': 3, 'log_file': 'x'}})
            data = bytearray(good if generator.random() < 0.5 else generator.randbytes(generator.randrange(1, 300)))
            data[generator.randrange(len(data))] ^= 1 << generator.randrange(8)
            client.sock.send(bytes(data[:generator.randrange(1, len(data) + 1)]))
    with rpc.connect(service) as client:
        client.sock.send(b'')
        assert client.receive() is None
    with rpc.connect(service) as client:
        client.sock.setsockopt(socket.SOL_SOCKET, 32, 8 << 20)     # SO_SNDBUFFORCE
        client.sock.send(bytes(2 << 20))
        reply = client.receive()
        assert reply['type'] == 'EMPTY' and 'too long' in reply['cr_errmsg']
    with rpc.connect(service) as client:
        socket.send_fds(client.sock, [rpc.encode('criu_req', {'type': 'VERSION'})], [0, 1, 2])
        assert client.receive()['success']
    idle = [rpc.connect(service) for _ in range(30)]
    with rpc.connect(service) as client:
        assert client.call('VERSION')['success']
    for client in idle:
        client.sock.close()
    assert folder


def workers_of(service):
    """How many processes the service has made."""
    pid, = [path.parent.name for path in pathlib.Path('/proc').glob('[0-9]*/cmdline')
            if read_or_nothing(path).split(b'\0')[1:4] == [b'service', b'-W', str(service.parent).encode()]
            and f'PPid:\t{os.getpid()}\n'.encode() in read_or_nothing(path.parent / 'status')]
    return len(pathlib.Path(f'/proc/{pid}/task/{pid}/children').read_text().split())


def read_or_nothing(path):
    """A file of a process that may end."""
    try:
        return path.read_bytes()
    except OSError:
        return b''


BOMBS = {
    'huge varint': b'\x08' + b'\xff' * 200 + b'\x01',
    'endless varint': b'\xff' * 5000,
    'length beyond the end': b'\x12\xff\xff\xff\xff\x0f' + b'x' * 10,
    'huge length': b'\x12\xff\xff\xff\xff\xff\xff\xff\xff\x7f',
    'deep nesting': b'\x12\x7f' * 60 + b'x' * 127,
    'many small parts': rpc.encode('criu_req', {'type': 'VERSION'}) + b'\x12' + rpc.varint(2 * 250000 + 2) + b'\x08\x01' + b'\x32\x00' * 250000,
    'unknown fields': rpc.encode('criu_req', {'type': 'VERSION'}) + (rpc.varint(5000 << 3 | 2) + b'\x05hello') * 1000,
    'text with NUL': rpc.encode('criu_req', {'type': 'CHECK', 'opts': {'images_dir_fd': -1, 'log_file': b'a\0/../b'}}),
    'text that is no text': rpc.encode('criu_req', {'type': 'CHECK', 'opts': {'images_dir_fd': -1, 'log_file': b'\xff\xfe%n%s'}}),
    'negative numbers': rpc.encode('criu_req', {'type': -1, 'pid': -1, 'opts': {'images_dir_fd': -(1 << 31), 'pid': -(1 << 31)}}),
}


@pytest.mark.parametrize('name', BOMBS)
def test_malformed_requests(service, name):
    """Answered or dropped; the next client does not notice."""
    with rpc.connect(service) as client:
        client.sock.setsockopt(socket.SOL_SOCKET, 32, 8 << 20)     # SO_SNDBUFFORCE
        client.sock.send(BOMBS[name])
        reply = client.receive()
        assert reply is None or reply['type'] in ('EMPTY', 'VERSION', 'CHECK'), reply
    with rpc.connect(service) as client:
        assert client.call('VERSION')['success']


@pytest.mark.usefixtures('open_tree')
def test_fuzzed_requests(service, folder, images):
    """Requests that were right but for some bits, from a user who has nothing to lose."""
    os.chown(images[0], NOBODY, NOBODY)
    done = subprocess.run([sys.executable, PROGRAMS / 'damaged-requests.py', service, images[0]], stdout=subprocess.PIPE, text=True, check=True, timeout=600,
                          user=NOBODY, group=NOBODY, extra_groups=[], cwd='/')
    assert int(done.stdout) > 200
    with rpc.connect(service) as client:
        assert client.call('VERSION')['success']
    wait_for(lambda: workers_of(service) == 0)
    assert folder


def test_client_dies_in_the_middle(service, images, sleeper):
    """Its tasks run on, and its worker ends."""
    with rpc.connect(service) as client:
        client.send({'type': 'DUMP', 'opts': {'images_dir_fd': images[1], 'pid': sleeper.pid, 'notify_scripts': True}})
        assert client.receive()['notify']['script'] == 'pre-dump'
        client.send({'type': 'NOTIFY', 'notify_success': True})
        assert client.receive()['notify']['script'] == 'query-ext-files'
        assert 'TracerPid:\t0\n' not in pathlib.Path(f'/proc/{sleeper.pid}/status').read_text()
    wait_for(lambda: 'TracerPid:\t0\n' in pathlib.Path(f'/proc/{sleeper.pid}/status').read_text())
    wait_for(lambda: workers_of(service) == 0)
    assert sleeper.poll() is None
    # Before it gets its answer.
    with rpc.connect(service) as client:
        client.send({'type': 'DUMP', 'opts': {'images_dir_fd': images[1], 'pid': sleeper.pid, 'leave_running': True}})
    wait_for(lambda: workers_of(service) == 0)
    wait_for(lambda: 'TracerPid:\t0\n' in pathlib.Path(f'/proc/{sleeper.pid}/status').read_text())
    assert sleeper.poll() is None


def test_client_that_does_not_read(service):
    """It is answered as long as there is room for answers; others do not wait for it."""
    with rpc.connect(service) as client:
        client.sock.settimeout(1)
        try:
            while True:
                client.send({'type': 'VERSION', 'keep_open': True})
        except TimeoutError:
            pass
        with rpc.connect(service) as other:
            assert other.call('VERSION')['success']
        wait_for(lambda: workers_of(service) == 1)
    wait_for(lambda: workers_of(service) == 0)


def test_many_at_once(service, folder):
    """Fifty clients dump and restore at the same time, each its own tree."""
    clients, processes = [], []
    for number in range(50):
        (folder / f'many{number}').mkdir()
        processes.append(subprocess.Popen(['sleep', '1000'], start_new_session=True, stdin=subprocess.DEVNULL,
                                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
    wait_for(lambda: all(os.readlink(f'/proc/{process.pid}/exe').endswith('sleep') for process in processes))
    try:
        for kind in ('DUMP', 'RESTORE'):
            clients = [rpc.connect(service) for _ in processes]
            for number, (client, process) in enumerate(zip(clients, processes)):
                opts = {'images_dir_fd': -1, 'images_dir': str(folder / f'many{number}'), 'pid': process.pid, 'log_file': kind}
                client.send({'type': kind, 'opts': opts})
            for client in clients:
                reply = client.receive()
                assert reply['success'], reply
                client.sock.close()
            if kind == 'DUMP':
                assert [process.wait(60) for process in processes] == [-signal.SIGKILL] * len(processes)
    finally:
        for process in processes:
            try:
                os.kill(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass


def test_daemon(criu, folder):
    """--daemon, --pidfile and --status-fd; a socket file of before is replaced, another file is not."""
    (folder / 'file').write_text('precious')
    words = [str(criu), 'service', '-W', str(folder), '-o', 'log', '--address']
    done = subprocess.run([*words, 'file'], check=False)
    assert done.returncode == 1 and (folder / 'file').read_text() == 'precious'
    for number in range(2):
        read, write = os.pipe()
        subprocess.run([*words, 'socket', '--daemon', '--pidfile', f'pid{number}', '--status-fd', str(write)], check=True,
                       pass_fds=[write])
        os.close(write)
        assert os.read(read, 10) == b'\0' and os.read(read, 10) == b''
        os.close(read)
        pid = int((folder / f'pid{number}').read_text())
        with rpc.connect(folder / 'socket') as client:
            assert client.call('VERSION')['success']
        os.kill(pid, signal.SIGKILL)


def test_socket_activation(criu, folder):
    """The socket that systemd made is taken instead of an own one."""
    listener = rpc.seqpacket()
    listener.bind(str(folder / 'given'))
    listener.listen()
    script = f'exec 3<&{listener.fileno()}; export LISTEN_PID=$$ LISTEN_FDS=1; exec {criu} service -W {folder} -o log'
    with subprocess.Popen(['bash', '-c', script], pass_fds=[listener.fileno()]) as process:
        with rpc.connect(folder / 'given') as client:
            assert client.call('VERSION')['success']
        assert not (folder / 'criu_service.socket').exists()
        process.kill()


@pytest.fixture
def units(build, folder):
    """The installed unit files, with the program where it is."""
    subprocess.run(['/usr/bin/meson', 'install', '-C', build, '--no-rebuild', '--quiet', '--destdir', folder / 'root'],
                   check=True, stdout=subprocess.DEVNULL)
    directory = folder / 'units'
    directory.mkdir()
    program, = [path for path in (folder / 'root').rglob('sbin/criu')]
    for path in (folder / 'root').rglob('systemd/system/criu.*'):
        text = path.read_text().replace(str(program).removeprefix(str(folder / 'root')), str(program))
        (directory / path.name).write_text(text)
    return directory, program


@pytest.mark.skipif(not shutil.which('systemd-analyze'), reason='there is no systemd')
def test_units(units):
    """systemd understands the sample units."""
    names = sorted(units[0].iterdir())
    assert [path.name for path in names] == ['criu.service', 'criu.socket']
    done = subprocess.run(['systemd-analyze', 'verify', '--man=no', *names], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, check=False)
    assert done.returncode == 0 and not done.stdout, done.stdout


@pytest.mark.skipif(not shutil.which('systemd-socket-activate'), reason='there is no systemd')
def test_socket_activation_by_systemd(units, folder):
    """As the sample units say it."""
    line, = [line for line in (units[0] / 'criu.service').read_text().splitlines() if line.startswith('ExecStart=')]
    words = line.removeprefix('ExecStart=').replace('/run/criu', str(folder)).split()
    with subprocess.Popen(['systemd-socket-activate', '--seqpacket', '-l', folder / 'socket', *words], stderr=subprocess.DEVNULL) as process:
        for _ in range(2):
            with rpc.connect(folder / 'socket') as client:
                assert client.call('VERSION')['success']
        assert 'given by descriptor 3' in (folder / 'service.log').read_text()
        process.kill()
