# SPDX-License-Identifier: GPL-2.0-only
"""Lazy restore: memory follows when the tasks run, from images, from another criu, or from a server that has its own idea of speed."""
import ctypes
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest
import rpc
from pages import ADD, CLOSE, GET, PAGE, PE_LAZY, PE_PARENT, PE_PRESENT, HEADER, Server, message, pagemap, receive, wait_for_port
from room import Room, wait_until

PORT = 27100
LIBC = ctypes.CDLL(None)


class Giver(threading.Thread):
    """A page server that gives pages of images in the room's network, one at a time. limit: after so many it hangs up."""

    def __init__(self, run, images, build, pause=0.0, limit=None):
        super().__init__(daemon=True)
        self.pause, self.limit, self.images, self.build = pause, limit, images, build
        self.asked, self.closed, self.given = [], False, threading.Event()
        self.known = {}
        self.listener = in_network_of(run.room.first, lambda: socket.create_server(('127.0.0.1', PORT)))
        self.start()

    def find(self, pid, start):
        """The page of a process."""
        if pid not in self.known:
            number, entries = pagemap(self.build, self.images / f'pagemap-{pid}.img')
            places, offset = {}, 0
            for first, count, flags in entries:
                if flags & PE_PRESENT:
                    for i in range(count):
                        places[first + i * PAGE] = offset + i * PAGE
                    offset += count * PAGE
            self.known[pid] = (open(self.images / f'pages-{number}.img', 'rb'), places)
        file, places = self.known[pid]
        file.seek(places[start])
        return file.read(PAGE)

    def run(self):
        try:
            self.serve(self.listener.accept()[0])
        except (ConnectionResetError, BrokenPipeError):
            pass
        finally:
            self.listener.close()
            for file, _ in self.known.values():
                file.close()

    def serve(self, sock):
        """Answers until the client says that it needs no more."""
        with sock:
            while True:
                head = receive(sock, HEADER.size)
                if len(head) < HEADER.size:
                    return
                command, _, count, start, pid = HEADER.unpack(head)
                if command == CLOSE:
                    self.closed = True
                    sock.sendall(b'\0\0\0\0')
                    return
                assert command == GET and count > 0, head
                if self.limit is not None and len(self.asked) == self.limit:
                    self.given.set()
                    return
                self.asked.append((pid, start))
                time.sleep(self.pause)
                sock.sendall(message(ADD, PE_PRESENT, 1, start, pid) + self.find(pid, start))


def in_network_of(pid, make):
    """make() in the network namespace of a process, from a thread of its own."""
    made = []

    def work():
        with open(f'/proc/{pid}/ns/net', encoding='ascii') as namespace:
            if LIBC.setns(namespace.fileno(), 0) == 0:
                made.append(make())
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    return made[0]


class Lazy:
    """A subject that was dumped and is restored lazily in its room."""

    def __init__(self, run, *dump_options):
        self.run = run
        self.images = run.dump(*dump_options)
        run.await_gone()
        self.daemon = None

    def start_daemon(self, *options):
        """The lazy-pages daemon."""
        self.run.call_in_room(self.run.criu, 'lazy-pages', '-D', self.images, '-d', '--pidfile', 'lazy.pid', '-v4', '-o', 'lazy.log', *options)
        self.daemon = int((self.images / 'lazy.pid').read_text())

    def said(self):
        """Its log."""
        return (self.images / 'lazy.log').read_text(errors='replace')

    def restore(self):
        """The restore, which must go well."""
        self.run.restore(self.images, '--lazy-pages')

    def await_daemon(self, seconds=60):
        """Waits until it has ended; a daemon's exit code is what the first process of the room has reaped."""
        def statuses():
            return [status for pid, status in self.run.room.reaped() if pid == self.daemon]
        return os.waitstatus_to_exitcode(wait_until(statuses, seconds, 'the daemon does not end')[-1])


def test_slow_server(subject, build):
    """While pages trickle in, the tasks fork, move, unmap and give back memory, and wait for pages in system calls."""
    run = subject('memory/busy')
    lazy = Lazy(run)
    giver = Giver(run, lazy.images, build, pause=0.0002)
    lazy.start_daemon('--page-server', '--address', '127.0.0.1', '--port', PORT)
    lazy.restore()
    run.release()
    assert lazy.await_daemon() == 0, lazy.said()
    giver.join(20)
    assert giver.closed and len(giver.asked) > 1000, lazy.said()


def test_auto_dedup(subject, build):
    """--auto-dedup at restore must not free what the daemon still reads."""
    run = subject('memory/busy')
    lazy = Lazy(run)
    giver = Giver(run, lazy.images, build, pause=0.0002)
    lazy.start_daemon('--page-server', '--address', '127.0.0.1', '--port', PORT)
    run.restore(lazy.images, '--lazy-pages', '--auto-dedup')
    run.release()
    assert lazy.await_daemon() == 0, lazy.said()
    giver.join(20)


def test_lost_server(subject, build):
    """The page server goes away: the daemon says so and kills the task that lacks memory; it never sees zeros."""
    run = subject('memory/busy')
    lazy = Lazy(run)
    giver = Giver(run, lazy.images, build, limit=100)
    lazy.start_daemon('--page-server', '--address', '127.0.0.1', '--port', PORT)
    lazy.restore()
    since = run.let_go()
    assert lazy.await_daemon() == 1, lazy.said()
    giver.join(20)
    assert 'is killed: it cannot have its memory' in lazy.said() and 'connection' in lazy.said()
    wait_until(lambda: run.status(since) is not None, 20, 'the task lives on')
    assert os.WTERMSIG(run.status(since)) == signal.SIGKILL
    assert not (run.control / 'result').exists(), run.told()


def test_killed_daemon(subject, build):
    """SIGKILL for the daemon while memory is missing: nobody sees zeros, the task dies; a forked child as well, or it gets SIGBUS."""
    run = subject('memory/busy')
    lazy = Lazy(run)
    giver = Giver(run, lazy.images, build, pause=0.002)
    lazy.start_daemon('--page-server', '--address', '127.0.0.1', '--port', PORT)
    lazy.restore()
    since = run.let_go()
    wait_until(lambda: len(giver.asked) > 50, 40, 'no pages are asked for')
    run.room.kill([lazy.daemon])
    assert lazy.await_daemon() == -signal.SIGKILL
    wait_until(lambda: run.status(since) is not None, 20, 'the task lives on')
    assert os.WTERMSIG(run.status(since)) == signal.SIGKILL
    wait_until(lambda: not run.room.pids(), 20, lambda: f'{run.room.pids()} live on')
    assert not (run.control / 'result').exists(), run.told()


@pytest.mark.parametrize('what', ['other-address', 'no-pages', 'too-many', 'other-command', 'garbage'])
def test_lying_server(subject, what):
    """Answers to what was not asked for are refused."""
    run = subject('memory/anonymous')
    lazy = Lazy(run)
    listener = in_network_of(run.room.first, lambda: socket.create_server(('127.0.0.1', PORT)))

    def answer():
        with listener.accept()[0] as sock:
            _, _, count, start, pid = HEADER.unpack(receive(sock, HEADER.size))
            sock.sendall({
                'other-address': message(ADD, PE_PRESENT, 1, start + PAGE, pid),
                'no-pages': message(ADD, PE_PRESENT, 0, start, pid),
                'too-many': message(ADD, PE_PRESENT, count + 1, start, pid),
                'other-command': message(ADD, PE_LAZY, 1, start, pid),
                'garbage': b'\xff' * HEADER.size}[what])
            sock.recv(1)
    thread = threading.Thread(target=answer, daemon=True)
    thread.start()
    lazy.start_daemon('--page-server', '--address', '127.0.0.1', '--port', PORT)
    lazy.run.call_criu('restore', lazy.images, '-d', '--lazy-pages')
    assert lazy.await_daemon() == 1
    assert 'which was not asked for' in lazy.said()
    thread.join(20)
    listener.close()
    wait_until(lambda: not run.room.pids(), 20, lambda: f'{run.room.pids()} live on')


def test_killed_daemon_before(subject):
    """Without a daemon no task is made."""
    run = subject('memory/anonymous')
    lazy = Lazy(run)
    status, said = run.call_criu('restore', lazy.images, '-d', '--lazy-pages')
    assert status == 1 and 'start criu lazy-pages there first' in said, said
    assert not run.room.pids()
    run.restore(lazy.images)
    run.compare('after an ordinary restore')
    run.release()


def test_failed_restore(subject):
    """The restore fails: the daemon ends as well."""
    run = subject('tree/family')
    lazy = Lazy(run)
    for where in ('restore/complete/memory', 'restore/furnish/file', 'restore/home/task'):
        (lazy.images / 'lazy.pid').unlink(missing_ok=True)
        lazy.start_daemon()
        status, said = run.call_criu('restore', lazy.images, '-d', '--lazy-pages', env={'CRIU_FAIL_AT': where})
        assert status == 1, said
        assert lazy.await_daemon() == 1
        assert 'before all tasks were restored' in lazy.said(), lazy.said()
        wait_until(lambda: not run.room.pids(), 5, lambda: f'{run.room.pids()} live on')
    (lazy.images / 'lazy.pid').unlink()
    lazy.start_daemon()
    lazy.restore()
    assert lazy.await_daemon() == 0, lazy.said()
    run.compare('after the restore')
    run.release()


def test_images_missing(criu, folder):
    """A daemon without images says so."""
    done = subprocess.run([criu, 'lazy-pages', '-D', folder], capture_output=True, text=True, timeout=40, check=False)
    assert done.returncode == 1 and 'inventory.img' in done.stderr, done.stderr


def test_pages_left(subject):
    """Images of dump --lazy-pages alone are not enough, and the restore says what is missing."""
    run = subject('memory/anonymous')
    images = leave_memory(run)
    status, said = run.call_criu('restore', images, '-d')
    assert status == 1 and 'restore with --lazy-pages' in said, said
    run.compare('after the dump was given up')
    run.release()


def leave_memory(run):
    """A dump --lazy-pages whose client goes away at once; returns a copy of the images as they were before."""
    images = run.folder_of_images()
    process = subprocess.Popen([run.room.program, 'run', run.room.first, run.criu, 'dump', '-t', str(run.pid), '-D', images, '-v4', '-o',
                                'dump.log', '--lazy-pages', '--address', '127.0.0.1', '--port', str(PORT)], stdin=subprocess.DEVNULL)
    log = images / 'dump.log'
    wait_until(lambda: log.exists() and 'Waiting for a client' in log.read_text(errors='replace'), 40, 'the images are not ready')
    copy = images.with_name('copy')
    shutil.copytree(images, copy)
    in_network_of(run.room.first, lambda: socket.create_connection(('127.0.0.1', PORT))).close()
    assert process.wait(40) == 1
    assert 'the tasks run on here' in log.read_text(errors='replace')
    assert not (images / 'inventory.img').exists()
    return copy


def test_given_up(subject):
    """The client of dump --lazy-pages asks for nonsense or hangs up: the dump fails, and the tasks run on as they were."""
    run = subject('tree/family')
    for data, said in ((b'', 'ended without saying that it has it all'), (message(99), 'none for a server that gives pages'),
                       (message(GET, 0, 1, 0x1000, run.pid), 'which was not left here'), (message(GET, 0, 0, 0, run.pid), "that cannot be"),
                       (b'\0' * 5, 'in the middle of a message')):
        images = run.folder_of_images()
        process = subprocess.Popen([run.room.program, 'run', run.room.first, run.criu, 'dump', '-t', str(run.pid), '-D', images, '-v4',
                                    '-o', 'dump.log', '--lazy-pages', '--address', '127.0.0.1', '--port', str(PORT)],
                                   stdin=subprocess.DEVNULL)
        wait_for_port(run.room.first, PORT)
        with in_network_of(run.room.first, lambda: socket.create_connection(('127.0.0.1', PORT))) as sock:
            sock.sendall(data)
        assert process.wait(40) == 1
        assert said in (images / 'dump.log').read_text(errors='replace')
        run.compare(f'after {said}')
    run.release()


@pytest.mark.parametrize('name', ['memory/busy', 'memory/anonymous', 'tree/family', 'thread/several'])
@pytest.mark.parametrize('how', ['plain', 'given-socket'])
def test_post_copy(subject, build, folder, name, how):
    """Live migration: the tree starts on in another room while its memory is still in the first one."""
    run = subject(name)
    images = run.folder_of_images()
    (folder / 'there').mkdir()
    ours, theirs = socket.socketpair()
    given = how == 'given-socket'
    ready, status = os.pipe()
    with Room(build / 'tests/subjects/room', folder / 'there') as there:
        there.run('sh', '-c', 'echo 1000 > /proc/sys/kernel/ns_last_pid')      # the pids of the tree stay free
        dump = subprocess.Popen(
            [run.room.program, 'run', run.room.first, run.criu, 'dump', '-t', str(run.pid), '-D', images, '-v4', '-o', 'dump.log', '--lazy-pages',
             '--status-fd', str(status), *(('--ps-socket', str(ours.fileno())) if given else ('--address', '127.0.0.1', '--port', str(PORT)))],
            stdin=subprocess.DEVNULL, pass_fds=[ours.fileno(), status])
        os.close(status)
        assert os.read(ready, 1) == b'\0', (images / 'dump.log').read_text(errors='replace')
        os.close(ready)
        if not given:   # what a network would do
            relay(run.room.first, there.first)
        lazy = subprocess.Popen(
            [run.room.program, 'run', there.first, run.criu, 'lazy-pages', '-D', images, '-v4', '-o', 'lazy.log',
             *(('--ps-socket', str(theirs.fileno())) if given else ('--page-server', '--address', '127.0.0.1', '--port', str(PORT)))],
            stdin=subprocess.DEVNULL, pass_fds=[theirs.fileno()])
        ours.close()
        theirs.close()
        wait_until(lambda: (images / 'lazy-pages.socket').exists(), 20, 'the daemon does not begin')
        here, run.room = run.room, there
        try:
            run.restore(images, '--lazy-pages')
            # While it runs on here already, the old one is still there, stopped.
            run.let_go()
            said = lambda: (images / 'lazy.log').read_text(errors='replace') + (images / 'dump.log').read_text(errors='replace')
            assert lazy.wait(60) == 0, said()
            assert dump.wait(60) == 0, said()
            wait_until(lambda: not here.pids(), 20, 'the old tree lives on')
            run.mounts = there.mounts()
            run.release()
        finally:
            run.room = here


def relay(server, client):
    """Who connects to PORT in the client's network reaches PORT in the server's."""
    listener = in_network_of(client, lambda: socket.create_server(('127.0.0.1', PORT)))

    def work():
        with listener, listener.accept()[0] as one, in_network_of(server, lambda: socket.create_connection(('127.0.0.1', PORT))) as two:
            threads = [threading.Thread(target=copy, args=pair, daemon=True) for pair in ((one, two), (two, one))]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
    threading.Thread(target=work, daemon=True).start()


def copy(source, target):
    """All bytes that come, and the end."""
    try:
        while data := source.recv(1 << 16):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def test_server_of_images(subject, criu, folder):
    """page-server --lazy-pages gives what is in images, also of processes that have nothing lazy left; not what is not there."""
    run = subject('memory/anonymous')
    lazy = Lazy(run)
    ours, theirs = socket.socketpair()
    with theirs:
        server = Server(criu, lazy.images, '--lazy-pages', sock=theirs)
    with ours:
        number, entries = pagemap(Path(criu).parent, lazy.images / f'pagemap-{run.pid}.img')
        content, offset = (lazy.images / f'pages-{number}.img').read_bytes(), 0
        for start, count, flags in entries:
            if not flags & PE_PRESENT:
                continue
            ours.sendall(message(GET, 0, count, start, run.pid))
            while count:
                command, _, some, at, pid = HEADER.unpack(receive(ours, HEADER.size))
                assert command == ADD | PE_PRESENT << 16 and (at, pid) == (start, run.pid) and 0 < some <= count
                assert receive(ours, some * PAGE) == content[offset:offset + some * PAGE]
                offset, start, count = offset + some * PAGE, start + some * PAGE, count - some
                if count:
                    ours.sendall(message(GET, 0, count, start, run.pid))
        ours.sendall(message(CLOSE))
        assert receive(ours, 4) == b'\0\0\0\0'
    assert server.end() == 0, server.said()
    run.restore(lazy.images)
    run.release()


def test_server_of_images_unknown(subject, criu):
    """Pages that nobody has, and a process that nobody knows."""
    run = subject('memory/anonymous')
    lazy = Lazy(run)
    for request, said in ((message(GET, 0, 1, 0x1000, run.pid), 'which is not in the images'),
                          (message(GET, 0, 1, 0x1000, 999), 'process 999, which is not in the images')):
        ours, theirs = socket.socketpair()
        with theirs:
            server = Server(criu, lazy.images, '--lazy-pages', sock=theirs)
        with ours:
            ours.sendall(request)
            assert ours.recv(1) == b''
        assert server.end() == 1 and said in server.said(), server.said()
    run.restore(lazy.images)
    run.release()


def test_what_is_left(subject):
    """All that may be lazy stays, all else is in the images."""
    run = subject('memory/anonymous')
    images = leave_memory(run)
    _, entries = pagemap(Path(run.criu).parent, images / f'pagemap-{run.pid}.img')
    assert sum(count for _, count, flags in entries if flags == PE_LAZY) > 700
    assert not any(flags & PE_LAZY and flags & PE_PRESENT for _, _, flags in entries)
    run.release()


def test_after_predump(subject, build, folder):
    """Only what was written to since the pre-dump travels late; all else comes from the images of the pre-dump."""
    run = subject('memory/busy')
    first, images = run.folder_of_images(), run.folder_of_images()
    status, said = run.call_criu('pre-dump', first, '-t', run.pid)
    assert status == 0, said
    (folder / 'there').mkdir()
    ready, status = os.pipe()
    with Room(build / 'tests/subjects/room', folder / 'there') as there:
        there.run('sh', '-c', 'echo 1000 > /proc/sys/kernel/ns_last_pid')
        dump = subprocess.Popen([run.room.program, 'run', run.room.first, run.criu, 'dump', '-t', str(run.pid), '-D', images, '-v4', '-o', 'dump.log',
                                 '--lazy-pages', '--address', '127.0.0.1', '--port', str(PORT), '--status-fd', str(status),
                                 '--prev-images-dir', '../images1', '--track-mem'], stdin=subprocess.DEVNULL, pass_fds=[status])
        os.close(status)
        assert os.read(ready, 1) == b'\0', (images / 'dump.log').read_text(errors='replace')
        os.close(ready)
        relay(run.room.first, there.first)
        _, entries = pagemap(build, images / f'pagemap-{run.pid}.img')
        assert sum(count for _, count, flags in entries if flags == PE_PARENT) > 4000, entries
        lazy = subprocess.Popen([run.room.program, 'run', there.first, run.criu, 'lazy-pages', '-D', images, '-v4', '-o', 'lazy.log', '--page-server',
                                 '--address', '127.0.0.1', '--port', str(PORT)], stdin=subprocess.DEVNULL)
        wait_until(lambda: (images / 'lazy-pages.socket').exists(), 20, 'the daemon does not begin')
        here, run.room = run.room, there
        try:
            run.restore(images, '--lazy-pages')
            run.let_go()
            assert lazy.wait(60) == 0, (images / 'lazy.log').read_text(errors='replace')
            assert dump.wait(60) == 0, (images / 'dump.log').read_text(errors='replace')
            run.mounts = there.mounts()
            run.release()
        finally:
            run.room = here


def test_requests(subject, criu):
    """The same by requests: status-ready tells the client when the dump serves; the answer comes when all was taken."""
    run = subject('memory/anonymous')
    images, told = run.folder_of_images(), []
    with rpc.start_swrk(criu, room=run.room) as client:
        def take(script):
            told.append(script)
            if script == 'status-ready':
                with in_network_of(run.room.first, lambda: socket.create_connection(('127.0.0.1', PORT))) as sock:
                    _, entries = pagemap(criu.parent, images / f'pagemap-{run.pid}.img')
                    start = next(start for start, _, flags in entries if flags == PE_LAZY)
                    threading.Thread(target=ask_for_one, args=(sock.dup(), run.pid, start), daemon=True).start()
            return {}
        client.answer = take
        reply = client.call('DUMP', {'images_dir': str(images), 'log_level': 4, 'log_file': 'dump.log', 'notify_scripts': True, 'pid': run.pid,
                                     'lazy_pages': True, 'ps': {'address': '127.0.0.1', 'port': PORT}, 'leave_running': True})
    assert reply and reply['success'], (reply, (images / 'dump.log').read_text(errors='replace'))
    assert told[-2:] == ['post-dump', 'status-ready'], told
    run.compare('after the dump')
    run.release()


def ask_for_one(sock, pid, start):
    """A client that needs one page."""
    with sock:
        sock.sendall(message(GET, 0, 1, start, pid))
        receive(sock, HEADER.size + PAGE)
        sock.sendall(message(CLOSE))
        receive(sock, 4)


def redis(room, *words):
    """What redis-cli says there."""
    return room.run('redis-cli', '-p', 7001, *words).stdout.strip()


@pytest.mark.skipif(not shutil.which('redis-server'), reason='there is no redis')
def test_redis(room, build, criu, folder):
    """A database moves to another host, is asked at once, and has every key."""
    images = folder / 'images'
    images.mkdir()
    (folder / 'there').mkdir()
    pid = room.start('/dev/null', 'redis-server', '--port', '7001', '--save', '', '--appendonly', 'no', '--enable-debug-command', 'yes', cwd=folder)
    wait_until(lambda: redis(room, 'ping') == 'PONG', 40, 'redis does not start')
    redis(room, 'debug', 'populate', '30000', 'key', '1000')
    digest = redis(room, 'debug', 'digest')
    assert len(digest) == 40, digest
    ready, status = os.pipe()
    with Room(build / 'tests/subjects/room', folder / 'there') as there:
        there.run('sh', '-c', 'echo 1000 > /proc/sys/kernel/ns_last_pid')
        dump = subprocess.Popen([room.program, 'run', room.first, criu, 'dump', '-t', str(pid), '-D', images, '-v4', '-o', 'dump.log', '--lazy-pages',
                                 '--address', '127.0.0.1', '--port', str(PORT), '--status-fd', str(status)], stdin=subprocess.DEVNULL,
                                pass_fds=[status])
        os.close(status)
        assert os.read(ready, 1) == b'\0', (images / 'dump.log').read_text(errors='replace')
        os.close(ready)
        relay(room.first, there.first)
        lazy = subprocess.Popen([room.program, 'run', there.first, criu, 'lazy-pages', '-D', images, '-v4', '-o', 'lazy.log', '--page-server',
                                 '--address', '127.0.0.1', '--port', str(PORT)], stdin=subprocess.DEVNULL)
        wait_until(lambda: (images / 'lazy-pages.socket').exists(), 40, 'the daemon does not begin')
        done = there.run(criu, 'restore', '-D', images, '-d', '--lazy-pages', '-v4', '-o', 'restore.log')
        assert done.returncode == 0, (images / 'restore.log').read_text(errors='replace')
        assert redis(there, 'get', 'key:12345').startswith('value:12345')
        assert redis(there, 'debug', 'digest') == digest
        assert lazy.wait(60) == 0 and dump.wait(60) == 0, (images / 'lazy.log').read_text(errors='replace')
        assert redis(there, 'debug', 'digest') == digest
        assert redis(there, 'dbsize') == '30000'
        wait_until(lambda: not room.pids(), 20, 'the old one lives on')
