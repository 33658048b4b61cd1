# SPDX-License-Identifier: GPL-2.0-only
"""criu page-server: what a client sends becomes images; whatever a hostile one sends becomes an error."""
import os
import signal
import socket
import subprocess
import time

import pytest
import rpc
from pages import (ADD, ADD_OLD, CLOSE, FORCE_CLOSE, GET, HOLE_OLD, OPEN, OPEN_OLD, PAGE, PARENT, PE_LAZY, PE_PARENT, PE_PRESENT, Server,
                   message, page, pagemap, receive, shared, task)
from room import PROGRAMS, wait_until


@pytest.fixture
def server(criu, folder):
    """server(OPTION...) starts one in the directory "images"."""
    started = []

    def start(*options, **more):
        started.append(Server(criu, folder / 'images', *options, **more))
        return started[-1]
    yield start
    for one in started:
        one.stop()


def finish(sock, command=CLOSE):
    """Says that it was all; returns the answer."""
    sock.sendall(message(command))
    return receive(sock, 4)


def test_images(server, build):
    """Pages of a task and of a shared object, in several pieces, with ranges that have no data."""
    one = server()
    with one.connect() as sock:
        sock.sendall(message(PARENT, name=task(7)))
        assert receive(sock, 4) == b'\0\0\0\0'
        sock.sendall(message(OPEN, name=task(7)))
        assert receive(sock, 1) == b'\0'
        sock.sendall(message(ADD, PE_PRESENT | PE_LAZY, 2, 0x10000, task(7)) + page(1) + page(2))
        sock.sendall(message(ADD, PE_LAZY, 5, 0x20000, task(7)))
        sock.sendall(message(ADD, PE_PRESENT, 1, 0x30000, task(7)) + page(3)[:100])
        time.sleep(0.01)
        sock.sendall(page(3)[100:])
        # A range that was cut in two is one again.
        sock.sendall(message(ADD, PE_PRESENT, 40, 0x31000, task(7)) + b'\0' * 40 * PAGE)
        sock.sendall(message(OPEN, name=shared(0x1234567)))
        assert receive(sock, 1) == b'\0'
        sock.sendall(message(ADD, PE_PRESENT, 1, 0, shared(0x1234567)) + page(4))
        assert finish(sock) == b'\0\0\0\0'
    assert one.end() == 0, one.said()
    images = one.folder
    assert pagemap(build, images / 'pagemap-7.img') == (65537, [(0x10000, 2, 6), (0x20000, 5, 2), (0x30000, 41, 4)])
    assert (images / 'pages-65537.img').read_bytes() == page(1) + page(2) + page(3) + b'\0' * 40 * PAGE
    assert pagemap(build, images / f'pagemap-shmem-{0x1234567}.img') == (65538, [(0, 1, 4)])
    assert (images / 'pages-65538.img').read_bytes() == page(4)
    assert {path.name for path in images.iterdir()} == {'pagemap-7.img', 'pages-65537.img', f'pagemap-shmem-{0x1234567}.img',
                                                        'pages-65538.img', 'page-server.log'}


def test_old_commands(server, build, folder):
    """Those of old clients, and a parent on the side of the server."""
    parent = server()
    with parent.connect() as sock:
        sock.sendall(message(OPEN_OLD, name=9 << 8 | 11) + message(ADD_OLD, 0, 4, 0x1000, 9 << 8 | 11) + b''.join(map(page, range(4))))
        assert finish(sock) == b'\0\0\0\0'
    assert parent.end() == 0, parent.said()
    (folder / 'images').rename(folder / 'older')
    (folder / 'images').mkdir()
    (folder / 'images/parent').symlink_to('../older')
    child = server()
    with child.connect() as sock:
        sock.sendall(message(PARENT, name=9 << 8 | 10))
        assert receive(sock, 4) == b'\1\0\0\0'
        sock.sendall(message(PARENT, name=shared(9)))
        assert receive(sock, 4) == b'\0\0\0\0'
        sock.sendall(message(OPEN, name=task(9)))
        assert receive(sock, 1) == b'\1'
        sock.sendall(message(HOLE_OLD, 0, 1, 0x1000, task(9)) + message(ADD, PE_PARENT, 1, 0x2000, task(9)))
        sock.sendall(message(ADD_OLD, 0, 1, 0x3000, task(9)) + page(7))
        assert finish(sock) == b'\0\0\0\0'
    assert child.end() == 0, child.said()
    assert pagemap(build, folder / 'images/pagemap-9.img') == (65537, [(0x1000, 2, 1), (0x3000, 1, 4)])


OPENED = message(OPEN, name=task(7))
HOSTILE = {
    'cut-head': (b'\6\0\0\0', 'in the middle of a message'),
    'unknown-command': (OPENED + message(99), 'unknown command 0x63'),
    'unknown-type': (message(OPEN, name=7 << 8 | 3), 'unknown type 3'),
    'parent-of-unknown-type': (message(PARENT, name=7 << 8), 'unknown type 0'),
    'not-opened': (message(ADD, PE_PRESENT, 1, 0x1000, task(7)) + page(1), 'not opened'),
    'other-object': (OPENED + message(ADD, PE_PRESENT, 1, 0x1000, task(8)) + page(1), 'not opened'),
    'no-pages': (OPENED + message(ADD, PE_PRESENT, 0, 0x1000, task(7)), 'a range of 0 pages'),
    'unaligned': (OPENED + message(ADD, PE_PRESENT, 1, 0x1001, task(7)) + page(1), "1 pages at 0x1001: that cannot be"),
    'too-many': (OPENED + message(ADD, PE_LAZY, 1 << 60, 0x1000, task(7)), "that cannot be"),
    'too-far': (OPENED + message(ADD, PE_LAZY, 1, 0xfffffffffffff000, task(7)), "that cannot be"),
    'wrong-order': (OPENED + message(ADD, PE_LAZY, 2, 0x5000, task(7)) + message(ADD, PE_LAZY, 1, 0x6000, task(7)),
                    "cannot come after"),
    'bad-flags': (OPENED + message(ADD, 8, 1, 0x1000, task(7)), 'flags that make no sense'),
    'two-places': (OPENED + message(ADD, PE_PARENT | PE_PRESENT, 1, 0x1000, task(7)) + page(1), 'flags that make no sense'),
    'no-parent': (OPENED + message(ADD, PE_PARENT, 1, 0x1000, task(7)), 'in the parent images, but there they are not'),
    'get': (message(GET, 0, 1, 0x1000, 7), 'this server takes them'),
    'pages-missing': (OPENED + message(ADD, PE_PRESENT, 1 << 30, 0x1000, task(7)) + page(1), 'in the middle of a message'),
    'no-close': (OPENED + message(ADD, PE_PRESENT, 1, 0x1000, task(7)) + page(1), 'not complete'),
    'after-close': (message(CLOSE) + b'x', 'goes on after it said that it was all'),
}


@pytest.mark.parametrize('case', HOSTILE)
def test_hostile(server, case):
    """The server ends with an error that says what the client did."""
    data, said = HOSTILE[case]
    one = server()
    with one.connect() as sock:
        try:
            sock.sendall(data)
            sock.shutdown(socket.SHUT_WR)
            while sock.recv(1 << 16):
                pass
        except OSError:
            pass    # it has closed with our bytes unread: which of our calls meets that, and how, is chance
    assert one.end() == 1, one.said()
    assert said in one.said()
    assert one.said().count('Error (') == 1, one.said()


def test_strangers(server):
    """Port scanners, monitors and browsers are no clients, whether they go or stay: the server waits for one."""
    one = server()
    with one.connect(), one.connect() as half:
        half.sendall(b'\6\0')
        one.connect().close()
        for said in (b'GET / HTTP/1.1\r\n\r\n', b'\x16\x03\x01\x02', message(99), b'\6\0\0'):
            with one.connect() as sock:
                try:
                    sock.sendall(said)
                    sock.shutdown(socket.SHUT_WR)
                    assert not sock.recv(1)
                except OSError:
                    pass    # it has closed with our bytes unread
        scanned = [one.connect() for _ in range(100)]
        with one.connect() as sock:
            sock.sendall(message(OPEN, name=task(7)) + message(ADD, PE_PRESENT, 1, 0x1000, task(7)) + page(8))
            assert receive(sock, 1) == b'\0' and finish(sock) == b'\0\0\0\0'
        for sock in scanned:
            sock.close()
    assert one.end() == 0, one.said()
    assert (one.folder / 'pages-65537.img').read_bytes() == page(8)


def test_failed_dump(server, criu):
    """A dump that fails before it has sent anything ends its server."""
    one = server()
    done = subprocess.run([criu, 'dump', '-t', '1', '-D', one.folder, '--page-server', '--address', '127.0.0.1', '--port', str(one.port)],
                          env={**os.environ, 'CRIU_FAIL_AT': 'dump/freeze'}, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1 and 'fault injected' in done.stderr, done.stderr
    assert one.end() == 0, one.said()


def test_given_socket(server):
    """--ps-socket: the client stays connected, and says so."""
    ours, theirs = socket.socketpair()
    with ours:
        with theirs:
            one = server(sock=theirs)
        ours.sendall(message(OPEN, name=task(7)) + message(ADD, PE_PRESENT, 1, 0x1000, task(7)) + page(5))
        assert receive(ours, 1) == b'\0'
        assert finish(ours, FORCE_CLOSE) == b'\0\0\0\0'
        assert one.end() == 0, one.said()
    assert (one.folder / 'pages-65537.img').read_bytes() == page(5)


def test_daemon(criu, folder):
    """--daemon: criu ends when the server listens; --pidfile and the log tell where it is."""
    done = subprocess.run([criu, 'page-server', '-D', folder, '-d', '--pidfile', 'pid', '--address', '127.0.0.1', '-v3', '-o', 'log'],
                          capture_output=True, text=True, timeout=40, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, ''), done
    pid = int((folder / 'pid').read_text())
    port = int((folder / 'log').read_text().split(' port ')[1].split()[0])
    with socket.create_connection(('127.0.0.1', port)) as sock:
        sock.sendall(message(OPEN, name=task(7)) + message(ADD, PE_PRESENT, 1, 0x1000, task(7)) + page(6))
        assert receive(sock, 1) == b'\0' and finish(sock) == b'\0\0\0\0'
    wait_until(lambda: not os.path.exists(f'/proc/{pid}/exe'), 20, 'the server does not end')
    assert (folder / 'pages-65537.img').read_bytes() == page(6)


def test_pidfile_there(criu, folder):
    """A server that cannot be announced does not stay behind."""
    (folder / 'pid').touch()
    done = subprocess.run([criu, 'page-server', '-D', folder, '-d', '--pidfile', 'pid', '--address', '127.0.0.1'],
                          capture_output=True, text=True, timeout=40, check=False)
    assert done.returncode == 1 and '--pidfile pid' in done.stderr


def test_port_in_use(criu, server, folder):
    """Said by name."""
    one = server()
    done = subprocess.run([criu, 'page-server', '-D', folder, '--address', '127.0.0.1', '--port', str(one.port)],
                          capture_output=True, text=True, timeout=40, check=False)
    assert done.returncode == 1 and f'cannot listen at 127.0.0.1 port {one.port}' in done.stderr


@pytest.mark.parametrize('kind', ['PAGE_SERVER', 'PAGE_SERVER_CHLD'])
def test_requests(criu, folder, kind):
    """The answer tells pid and port; the server of PAGE_SERVER_CHLD can be waited for."""
    with rpc.start_swrk(criu) as client:
        opts = {'images_dir_fd': -1, 'images_dir': str(folder), 'log_file': 'log', 'log_level': 4, 'notify_scripts': True,
                'ps': {'address': '127.0.0.1', 'port': 0}}
        reply = client.call(kind, opts, keep_open=True)
        assert reply['success'] and reply['type'] == 'PAGE_SERVER', reply
        assert [script for script, _ in client.told] == ['status-ready']
        pid = reply['ps']['pid']
        assert os.readlink(f'/proc/{pid}/exe') == str(criu)
        with socket.create_connection(('127.0.0.1', reply['ps']['port'])) as sock:
            sock.sendall(message(OPEN, name=task(7)) + message(ADD, PE_PRESENT, 1, 0x1000, task(7)) + page(8))
            assert receive(sock, 1) == b'\0' and finish(sock) == b'\0\0\0\0'
        client.send({'type': 'WAIT_PID', 'pid': pid})
        assert client.receive() == {'type': 'WAIT_PID', 'success': True, 'status': 0}
    assert (folder / 'pages-65537.img').read_bytes() == page(8)


def test_request_refused(criu, server, folder):
    """A port that is in use: no server, and the reason."""
    one = server()
    with rpc.start_swrk(criu) as client:
        reply = client.call('PAGE_SERVER', {'images_dir_fd': -1, 'images_dir': str(folder), 'ps': {'address': '127.0.0.1', 'port': one.port}})
    assert not reply['success'] and 'cannot listen' in reply['cr_errmsg'], reply


# --- dumps that send their memory away ---

def dump_there(run, *options, env=None):
    """(status, what it said) of a dump whose memory goes to the page server of these options."""
    images = run.folder_of_images()
    return images, *run.call_criu('dump', images, '-t', run.pid, '--page-server', *options, env=env)


def test_lost_connection(subject):
    """The server goes away in the middle: the dump fails, and the tree does not feel it."""
    run = subject('memory/anonymous')
    for taken in (0, 1, 33, 5000):
        server = subprocess.Popen([run.room.program, 'run', run.room.first, 'python3', PROGRAMS / 'deaf-page-server.py', str(taken)], stdout=subprocess.PIPE,
                                  stdin=subprocess.DEVNULL)
        assert server.stdout.readline() == b'\n'
        images, status, said = dump_there(run, '--address', '127.0.0.1', '--port', 27777)
        assert status == 1 and 'Error (' in said and ('connection' in said), said
        assert not (images / 'inventory.img').exists()
        assert server.wait(20) == 0
        server.stdout.close()
        run.compare(f'after the connection was lost behind {taken} bytes')
    run.release()


def test_no_server(subject):
    """Nobody listens, or the server is not named: known before any task is stopped."""
    run = subject('memory/anonymous')
    _, status, said = dump_there(run, '--address', '127.0.0.1', '--port', 27777)
    assert status == 1 and 'cannot connect to the page server at 127.0.0.1 port 27777' in said and 'Phase dump/freeze' not in said, said
    _, status, said = dump_there(run)
    assert status == 1 and '--page-server needs --address and --port' in said, said
    run.compare('after the dumps')
    run.release()


def test_refusing_server(subject):
    """A server that says in the end that it failed."""
    run = subject('memory/anonymous')
    server = subprocess.Popen([run.room.program, 'run', run.room.first, 'python3', PROGRAMS / 'failing-page-server.py'], stdout=subprocess.PIPE,
                              stdin=subprocess.DEVNULL)
    assert server.stdout.readline() == b'\n'
    images, status, said = dump_there(run, '--address', '127.0.0.1', '--port', 27777)
    assert status == 1 and 'the page server failed, with status -5' in said, said
    assert not (images / 'inventory.img').exists()
    assert server.wait(20) == 0
    server.stdout.close()
    run.compare('after the dump')
    run.release()


def test_same_images(criu, folder, build):
    """What the server writes of a stopped tree is what a local dump writes, but for the numbers of the pages images."""
    # The kernel notes in rseq memory on which CPU a thread runs: not the same after the first dump.
    process = subprocess.Popen(['setsid', 'python3', PROGRAMS / 'stopped-pair.py'], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               env={**os.environ, 'GLIBC_TUNABLES': 'glibc.pthread.rseq=0'})
    try:
        process.stdout.readline()
        children = f'/proc/{process.pid}/task/{process.pid}/children'
        child = open(children, encoding='ascii').read().split()[0]
        for pid in (process.pid, child):
            wait_until(lambda pid=pid: open(f'/proc/{pid}/stat', encoding='ascii').read().rsplit(')', 1)[1].split()[0] == 'T', 20)
        process.stdout.close()
        (folder / 'local').mkdir()
        (folder / 'client').mkdir()
        server = Server(criu, folder / 'server')
        for images, options in (('local', ()), ('client', ('--page-server', '--address', '127.0.0.1', '--port', str(server.port)))):
            done = subprocess.run([criu, 'dump', '-t', str(process.pid), '-D', folder / images, '-R', '-v4', *options], capture_output=True,
                                  text=True, timeout=40, check=False)
            assert done.returncode == 0, done.stderr
        assert server.end() == 0, server.said()
        names = sorted(path.name for path in (folder / 'local').glob('pagemap-*'))
        assert len(names) == 3 and not list((folder / 'client').glob('page*')), names
        for name in names:
            local, remote = pagemap(build, folder / 'local' / name), pagemap(build, folder / 'server' / name)
            assert local[1] == remote[1] and len(local[1]) > 0
            assert (folder / f'local/pages-{local[0]}.img').read_bytes() == (folder / f'server/pages-{remote[0]}.img').read_bytes()
        assert {path.name for path in (folder / 'client').iterdir()} == {
            path.name for path in (folder / 'local').iterdir() if not path.name.startswith('page')}
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def test_rounds(subject, criu, build):
    """A pre-dump and a dump, each to a server of its own: what was not written to stays where the first one laid it."""
    run = subject('memory/anonymous')
    rounds = []
    for command, parent in (('pre-dump', ()), ('dump', ('--prev-images-dir', '../images1'))):
        images = run.folder_of_images()
        run.call_in_room(criu, 'page-server', '-D', images, '-d', '--pidfile', 'server.pid', '--address', '127.0.0.1', '--port', 27777, '-v4',
                         '-o', 'server.log', *parent)
        status, said = run.call_criu(command, images, '-t', run.pid, '--page-server', '--address', '127.0.0.1', '--port', 27777, '--track-mem',
                                     *parent)
        assert status == 0, said
        server = int((images / 'server.pid').read_text())
        wait_until(lambda pid=server: pid not in run.room.pids(), 20, 'the server does not end')
        rounds.append(pagemap(build, images / f'pagemap-{run.pid}.img')[1])
    assert not any(flags & PE_PARENT for _, _, flags in rounds[0])
    assert sum(count for _, count, flags in rounds[1] if flags == PE_PARENT) > 700, rounds[1]
    run.await_gone()
    run.restore(images)
    run.compare('after the restore')
    run.release()


def test_other_parent(subject, criu):
    """Where the server has no parent images of a task, all of its memory is sent again."""
    run = subject('memory/anonymous')
    first = run.folder_of_images()
    status, said = run.call_criu('pre-dump', first, '-t', run.pid)
    assert status == 0, said
    (run.folder / 'other').mkdir()
    ours, theirs = socket.socketpair()
    with theirs:
        server = Server(criu, run.folder / 'server', '--prev-images-dir', '../other', sock=theirs)
    images = run.folder_of_images()
    done = subprocess.run([run.room.program, 'run', run.room.first, criu, 'dump', '-t', str(run.pid), '-D', images, '-R', '-v4', '--prev-images-dir',
                           '../images1', '--track-mem', '--page-server', '--ps-socket', str(ours.fileno())], pass_fds=[ours.fileno()],
                          capture_output=True, text=True, timeout=60, check=False)
    ours.close()
    assert done.returncode == 0 and server.end() == 0, done.stderr
    _, entries = pagemap(criu.parent, run.folder / f'server/pagemap-{run.pid}.img')
    assert not any(flags & PE_PARENT for _, _, flags in entries)
    run.release()
