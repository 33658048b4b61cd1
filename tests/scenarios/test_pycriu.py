# SPDX-License-Identifier: GPL-2.0-only
"""pycriu, the module for Python programs: dump and restore by a service, by a criu of its own, by a given descriptor."""
import importlib
import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import rpc
from room import PROGRAMS, wait_until

pytest.importorskip('google.protobuf')


@pytest.fixture(scope='module')
def packages(build, tmp_path_factory):
    """Where pycriu can be imported from, as it is installed."""
    place = tmp_path_factory.mktemp('packages')
    shutil.copytree(Path(__file__).parents[2] / 'lib/python/pycriu', place / 'pycriu')
    shutil.copy(build / 'lib/python/rpc_pb2.py', place / 'pycriu')
    return place


@pytest.fixture(scope='module')
def pycriu(packages):
    """The module."""
    sys.path.insert(0, str(packages))
    module = importlib.import_module('pycriu')
    sys.path.remove(str(packages))
    return module


@pytest.fixture
def sleeper():
    """A process to dump."""
    with subprocess.Popen(['sleep', '1000'], start_new_session=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL) as process:
        wait_until(lambda: os.readlink(f'/proc/{process.pid}/exe').endswith('sleep'), 20)
        yield process
        process.kill()


@pytest.fixture
def client(pycriu, criu, folder):
    """One with a folder for images."""
    made = pycriu.criu()
    made.use_binary(str(criu))
    made.opts.images_dir = str(folder)
    return made


def round_trip(client, sleeper):
    """Dump and restore; ends what it has restored."""
    client.opts.pid = sleeper.pid
    assert not client.dump().restored
    assert sleeper.wait() == -signal.SIGKILL
    client.opts.ClearField('pid')
    client.opts.rst_sibling = client.opts.notify_scripts = True
    assert client.restore().pid == sleeper.pid
    os.kill(sleeper.pid, signal.SIGKILL)
    assert os.waitpid(sleeper.pid, 0) == (sleeper.pid, signal.SIGKILL)


def test_own_criu(client, sleeper, folder):
    """The restored task is our child, as a sibling of criu; no criu of ours is left."""
    client.check()
    round_trip(client, sleeper)
    assert (folder / 'inventory.img').exists()
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def test_pre_dumps(client, sleeper, folder):
    """Each request may name the images of the one before."""
    client.opts.pid, client.opts.track_mem = sleeper.pid, True
    for name, parent in (('one', None), ('two', '../one')):
        (folder / name).mkdir()
        client.opts.images_dir = str(folder / name)
        if parent:
            client.opts.parent_img = parent
        client.pre_dump()
    assert (folder / 'two/parent').is_symlink() and sleeper.poll() is None


def test_service(client, criu, sleeper, folder):
    """By its socket; what only a worker of its own can do is refused with criu's own words."""
    with subprocess.Popen([criu, 'service', '-W', folder, '--address', 'socket', '-o', 'service.log']) as service:
        wait_until((folder / 'socket').exists, 20)
        client.use_sk(str(folder / 'socket'))
        client.opts.pid, client.opts.leave_running = sleeper.pid, True
        client.dump()
        client.opts.rst_sibling = True
        with pytest.raises(client_error(client, 'External')) as told:
            client.restore()
        assert told.value.errno == 56 and 'rst_sibling' in str(told.value)
        service.kill()


def client_error(client, kind):
    """The class of errors in the module of this client."""
    return getattr(sys.modules[type(client).__module__], f'CRIUException{kind}')


def test_failures(pycriu, client):
    """By class: those of criu, with its number, and those on the way to it."""
    client.opts.pid = 4194000
    with pytest.raises(pycriu.CRIUExceptionExternal) as told:
        client.dump()
    assert told.value.errno == 3 and told.value.typ == pycriu.rpc.DUMP and 'there is no process 4194000' in str(told.value)
    for use in (lambda: client.use_binary('/nonexistent'), lambda: client.use_sk('/nonexistent')):
        use()
        with pytest.raises(pycriu.CRIUExceptionInternal):
            client.dump()


def test_given_descriptor(client, criu):
    """A criu that somebody else has started."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, subprocess.Popen([criu, 'swrk', str(theirs.fileno())], pass_fds=[theirs.fileno()]) as worker:
        theirs.close()
        client.use_fd(ours.fileno())
        client.check()
        assert worker.wait(60) == 0


def test_page_server(client, sleeper, folder):
    """A page server is a child of criu, which waits for it."""
    client.opts.ps.address = '127.0.0.1'
    server = client.page_server_chld()
    assert server.port and client.sk
    kept, client.sk = client.sk, None
    client.opts.ps.port, client.opts.pid = server.port, sleeper.pid
    worker, client._worker = client._worker, 0      # pylint: disable=protected-access
    client.dump()
    client.sk, client._worker = kept, worker        # pylint: disable=protected-access
    assert client.wait_pid(server.pid) == 0 and not client.sk
    assert list(folder.glob('pages-*.img'))


def test_dump_itself(room, packages, criu, folder):
    """A process without a pid in its request is dumped itself, and reads in the answer that it was restored."""
    (folder / 'images').mkdir()
    env = {**os.environ, 'PYTHONPATH': str(packages), 'PYTHONDONTWRITEBYTECODE': '1'}
    pid = room.start(folder / 'output', '/usr/bin/python3', PROGRAMS / 'dump-itself.py', criu, folder, env=env)
    wait_until(lambda: pid not in room.pids(), 60, lambda: (folder / 'output').read_text())
    with rpc.start_swrk(criu, room=room) as worker:     # its answer comes from who restores it
        assert worker.call('RESTORE', {'images_dir': str(folder / 'images'), 'log_level': 4})['success']
    wait_until((folder / 'said').exists, 20, lambda: (folder / 'output').read_text())
    wait_until(lambda: (folder / 'said').read_text() == 'restored True\n', 20)
    (folder / 'end').touch()
    wait_until(lambda: pid not in room.pids(), 20)
