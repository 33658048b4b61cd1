# SPDX-License-Identifier: GPL-2.0-only
"""Attacks by those who may speak to criu, or who own a directory that it reads or writes: each is refused, in a bounded time."""
import contextlib
import os
import resource
import shutil
import signal
import socket
import subprocess
from pathlib import Path

import pytest
import rpc
from room import wait_until
from users import OTHER, QUIET, USER, adopt, open_world, reap, wait_for, workers_of


@pytest.fixture(scope='module', autouse=True)
def orphans():
    """Are ours as long as these tests run."""
    adopt(True)
    yield
    reap()
    adopt(False)


@pytest.fixture
def world(criu, build, folder, open_tree):  # pylint: disable=unused-argument
    """A service of root that was started with descriptors that it does not know of; and a World for its user."""
    secret = folder / 'secret'
    secret.write_text('precious')
    secret.chmod(0o600)
    fd = os.open(secret, os.O_RDWR)
    high = 200
    os.dup2(fd, high, inheritable=True)
    os.set_inheritable(fd, True)
    popen = subprocess.Popen
    try:
        subprocess.Popen = lambda *args, **more: popen(*args, **{'close_fds': False, **more})
        opened, service = open_world(criu, build, folder)
    finally:
        subprocess.Popen = popen
        os.close(fd)
        os.close(high)
    opened.secret = secret
    yield opened
    opened.end()
    assert service.poll() is None, 'the service has ended'
    service.kill()
    service.wait()


@contextlib.contextmanager
def being(uid):
    """This process, for a moment, as an ordinary user."""
    groups = os.getgroups()
    os.setgroups([])
    os.setegid(uid)
    os.seteuid(uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(groups)


def connect(world, uid=USER):
    """A connection of that user."""
    with being(uid):
        return rpc.connect(world.folder / 'socket')


def test_inherited_descriptors(world):
    """exec_cmd of a user has none of the descriptors that the service was started with."""
    process = world.start()
    reply, _ = world.ask('DUMP', pid=process.pid)
    assert reply['success'], reply
    process.wait()
    report = world.home / 'report'
    command = ['sh', '-c', f'{{ ls -l /proc/self/fd; cat /proc/self/fd/200; }} > {report}.tmp 2>&1; mv {report}.tmp {report}; kill -9 -{process.pid}']
    reply, _ = world.ask('RESTORE', exec_cmd=command)
    assert reply['success'], reply
    wait_for(report.exists)
    wait_for(lambda: reap() or not Path(f'/proc/{process.pid}').exists())
    assert 'secret' not in report.read_text() and 'precious' not in report.read_text(), report.read_text()
    assert world.secret.read_text() == 'precious'


@pytest.mark.parametrize('kind', ['zero', 'fifo', 'large', 'directory', 'terminal'])
def test_config_file(world, kind):
    """A config file without an end, or whose beginning never comes, costs neither memory nor a worker."""
    path = world.home / kind
    if kind == 'zero':
        path.symlink_to('/dev/zero')
    elif kind == 'fifo':
        os.mkfifo(path, 0o666)
        path.chmod(0o666)
    elif kind == 'large':
        path.write_bytes(b'# \n' * 400000)
    elif kind == 'directory':
        path.mkdir()
    else:
        path.symlink_to('/dev/ptmx')
    reply, _ = world.ask('DUMP', pid=1, config_file=str(path))
    assert not reply['success'] and str(path) in reply['cr_errmsg'], reply
    assert ('longer than 1048576' if kind == 'large' else 'no regular file') in reply['cr_errmsg'], reply
    wait_until(lambda: not workers_of(world), 5, 'a worker stays')


def test_page_servers(world):
    """Page servers that a user starts count as its connections do, whether it stays connected or not."""
    opts = {'images_dir': str(world.images), 'images_dir_fd': -1, 'ps': {'address': '127.0.0.1', 'port': 0}}
    with connect(world) as client:
        first = client.call('PAGE_SERVER', opts, keep_open=True)
        assert first['success'], first
        os.kill(first['ps']['pid'], signal.SIGKILL)
        wait_until(lambda: Path(f'/proc/{first["ps"]["pid"]}/stat').read_text().split()[2] == 'Z', 5)
        second = client.call('PAGE_SERVER', opts, keep_open=True)
        assert second['success'], second
        third = client.call('PAGE_SERVER', opts, keep_open=True)
        assert not third['success'] and 'still runs' in third['cr_errmsg'], third
    started = [second['ps']['pid']]
    refused = 0
    for _ in range(80):
        try:
            with connect(world) as client:
                reply = client.call('PAGE_SERVER', opts)
        except OSError:
            refused += 1
            continue
        if reply and reply['success']:
            started.append(reply['ps']['pid'])
        else:
            refused += 1
    assert 16 <= refused and len(started) <= 64, (refused, len(started))
    with connect(world, OTHER) as client:
        assert client.call('VERSION')['success']
    for pid in started:
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not workers_of(world), 10, 'workers stay')


def test_answers_are_text(world):
    """What programs call themselves is sent to clients, many of which take nothing but UTF-8."""
    name = world.home.as_posix().encode() + b'/\xff\xc3\xa9\xe2\x82 \x1b[31m\nError (x): y'
    with connect(world) as client:
        client.send({'type': 'DUMP', 'opts': {'images_dir': name, 'images_dir_fd': -1, 'pid': 1}})
        data = client.sock.recv(40960)
    assert b'\\xff' not in data and b'?\xc3\xa9?' in data and b'\x1b' not in data, data
    text = data[data.index(b'Error'):]
    assert text.count(b'\n') == 1 and text.rstrip(b'\0').split(b'\n')[0].decode(), data


# --- directories of others ---

@pytest.fixture
def sleeper():
    """A process to be dumped."""
    process = subprocess.Popen(['sleep', '1000'], start_new_session=True, **QUIET)
    yield process
    process.kill()
    process.wait()


def call(criu, *words, **more):
    """(exit code, what it said) of a criu that must end."""
    done = subprocess.run([criu, *map(str, words)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors='replace', timeout=60, check=False, **more)
    return done.returncode, done.stdout


def test_modes(criu, folder, sleeper):
    """What criu makes is closed to others, also where something lies that is open to them."""
    images, server = folder / 'images', folder / 'server'
    images.mkdir()
    server.mkdir()
    (images / 'pages-1.img').touch()
    os.chmod(images / 'pages-1.img', 0o666)
    os.link(images / 'pages-1.img', folder / 'second')
    before = os.umask(0)
    try:
        with open(images / 'pages-1.img', 'rb') as early:
            code, said = call(criu, 'pre-dump', '-t', sleeper.pid, '-D', images, '-o', 'log', '--display-stats')
            assert code == 0, said
            (folder / 'next').mkdir()
            code, said = call(criu, 'dump', '-t', sleeper.pid, '-D', folder / 'next', '--prev-images-dir', '../images', '-o', 'log', '-R')
            assert code == 0, said
            assert early.read() == b'' and (folder / 'second').read_bytes() == b''
        code, said = call(criu, 'page-server', '-D', server, '-d', '-o', 'log', '--pidfile', 'pid', '--address', '127.0.0.1', '-v4')
        assert code == 0, said
        port = int((server / 'log').read_text().split(' port ')[1].split()[0])
        code, said = call(criu, 'dump', '-t', sleeper.pid, '-D', images, '--page-server', '--address', '127.0.0.1', '--port', port, '-o', 'log')
        assert code == 0, said
        code, said = call(criu.parent / 'crit', 'decode', '-i', images / 'core-*.img'.replace('*', str(sleeper.pid)), '-o', folder / 'text')
        assert code == 0, said
    finally:
        os.umask(before)
    made = [path for place in (images, server, folder / 'next') for path in place.iterdir() if not path.is_symlink()] + [folder / 'text']
    assert len(made) > 20
    assert not [path for path in made if path.stat().st_mode & 0o077], [(path.name, oct(path.stat().st_mode)) for path in made]


@pytest.mark.parametrize('where', ['open', 'foreign', 'link-of-other'])
def test_log_through_link(criu, folder, sleeper, where):
    """-o does not empty the file that somebody's link names."""
    secret, images = folder / 'secret', folder / 'images'
    secret.write_text('precious')
    images.mkdir()
    (images / 'log').symlink_to(secret)
    if where == 'open':
        images.chmod(0o777)
    elif where == 'foreign':
        os.chown(images, USER, USER)
    else:
        os.chown(images / 'log', USER, USER, follow_symlinks=False)
    code, said = call(criu, 'dump', '-t', sleeper.pid, '-D', images, '-o', 'log')
    assert code == 1 and 'log file log is a symbolic link' in said, said
    assert secret.read_text() == 'precious' and sleeper.poll() is None


def test_log_to_stderr(criu, folder, sleeper):
    """Links of the system, and one's own, lead where they lead."""
    (folder / 'images').mkdir()
    code, said = call(criu, 'dump', '-t', sleeper.pid, '-D', folder / 'images', '-R', '-v4', '-o', '/dev/stderr')
    assert code == 0 and 'Dumping finished successfully' in said, said
    (folder / 'images/log').symlink_to('../elsewhere')
    code, said = call(criu, 'dump', '-t', sleeper.pid, '-D', folder / 'images', '-v4', '-o', 'log')
    assert code == 0 and 'Dumping finished successfully' in (folder / 'elsewhere').read_text(), said


def replace(path, kind):
    """Something in the place of an image."""
    if kind == 'sparse':
        with open(path, 'ab') as file:
            file.truncate(1 << 40)
        return
    path.unlink()
    if kind == 'empty-sparse':
        with open(path, 'wb') as file:
            file.truncate(1 << 40)
    elif kind == 'fifo':
        os.mkfifo(path)
    elif kind == 'socket':
        with socket.socket(socket.AF_UNIX) as sock:
            here = os.getcwd()
            os.chdir(path.parent)
            try:
                sock.bind(path.name)
            finally:
                os.chdir(here)
    elif kind == 'directory':
        path.mkdir()
    else:
        path.symlink_to({'zero': '/dev/zero', 'terminal': '/dev/ptmx'}[kind])


@pytest.mark.parametrize('kind', ['fifo', 'zero', 'terminal', 'socket', 'directory', 'sparse', 'empty-sparse'])
def test_odd_images(criu, folder, sleeper, kind):
    """Whatever lies in the place of an image: restore, verify, crit and dedup say so, and end."""
    whole = folder / 'whole'
    whole.mkdir()
    code, said = call(criu, 'dump', '-t', sleeper.pid, '-D', whole, '-o', 'dump.log')
    assert code == 0, said
    sleeper.wait()
    names = sorted(path.name for path in whole.glob('*.img') if not path.name.startswith(('stats', 'ids')))
    assert len(names) > 8
    for name in names:
        images = folder / 'images'
        shutil.copytree(whole, images)
        replace(images / name, kind)

        def limit():
            resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
        # More than is needed does no harm, and zeros are as good as any other memory.
        large_pages = name.startswith('pages-') and 'sparse' in kind
        code, said = call(criu, 'verify', images, preexec_fn=limit)
        assert (code != 0) or large_pages, f'{name}: {said}'
        assert code >= 0, f'{name}: killed by {-code}: {said}'
        code, said = call(criu, 'restore', '-D', images, '-d', '-S', preexec_fn=limit) if not large_pages else (1, '')
        assert code == 1, f'{name}: {said}'
        for words in (['decode', '-i', images / name], ['info', images / name], ['x', images, 'ps'], ['x', images, 'mems']):
            code, said = call(criu.parent / 'crit', *words, preexec_fn=limit)
            assert code >= 0, f'{words}: killed by {-code}: {said}'
        code, said = call(criu, 'dedup', '-D', images, preexec_fn=limit)
        assert code >= 0, f'{name}: killed by {-code}: {said}'
        shutil.rmtree(images)


def test_file_size_limit(criu, folder):
    """RLIMIT_FSIZE: the dump fails, and the program runs on."""
    process = subprocess.Popen(['python3', '-c', 'x = bytearray(b"x" * (8 << 20)); print(flush=True); import time; time.sleep(1000)'],
                               start_new_session=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    assert process.stdout.readline() == b'\n'
    (folder / 'images').mkdir()
    code, said = call(criu, 'dump', '-t', process.pid, '-D', folder / 'images',
                      preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20)))
    assert code == 1 and 'File too large' in said and 'pages-1.img' in said, (code, said)
    state = Path(f'/proc/{process.pid}/stat').read_text().rsplit(')', 1)[1].split()[0]
    assert state == 'S' and process.poll() is None
    process.kill()
    process.wait()
    process.stdout.close()


