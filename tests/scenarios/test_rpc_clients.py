# SPDX-License-Identifier: GPL-2.0-only
"""Requests as known programs send them, with records of Google's protobuf instead of our own reading of proto/rpc.proto."""
import array
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip('google.protobuf')
PROTO = Path(__file__).parents[2] / 'proto'


@pytest.fixture(scope='module')
def pb(tmp_path_factory):
    """The generated module."""
    where = tmp_path_factory.mktemp('proto')
    subprocess.run(['protoc', f'-I{PROTO}', f'--python_out={where}', PROTO / 'rpc.proto'], check=True)
    sys.path.insert(0, str(where))
    import rpc_pb2      # pylint: disable=import-outside-toplevel,import-error
    sys.path.remove(str(where))
    return rpc_pb2


class Worker:
    """criu swrk at one end of a socket pair, made anew for each request as go-criu and runc do."""

    def __init__(self, criu, files=(), number=None):
        self.sock, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.sock.settimeout(30)
        keep = [theirs.fileno(), *files]
        if number is None:
            self.process = subprocess.Popen([criu, 'swrk', str(theirs.fileno())], pass_fds=keep, stdin=subprocess.DEVNULL)
        else:
            # The socket and what follows it stand at fixed numbers.
            moves = ' '.join(f'{number + i}<&{fd}' for i, fd in enumerate(keep))
            # Through high numbers, so that none is overwritten before it was copied.
            high = ' '.join(f'{100 + i}<&{fd}' for i, fd in enumerate(keep))
            moves = ' '.join(f'{number + i}<&{100 + i} {100 + i}<&-' for i in range(len(keep)))
            close = ' '.join(f'{fd}<&-' for fd in keep if not number <= fd < number + len(keep))
            script = f'exec {high}; exec {close}; exec {moves}; exec {criu} swrk {number}'
            self.process = subprocess.Popen(['bash', '-c', script], pass_fds=keep, stdin=subprocess.DEVNULL)
        theirs.close()

    def end(self):
        """Its exit status."""
        self.sock.close()
        return self.process.wait(60)


def ask(pb, worker, request, scripts=None, buffer=8192):
    """Sends it, answers notifications, returns the reply."""
    worker.sock.send(request.SerializeToString())
    while True:
        data, control, flags, _ = worker.sock.recvmsg(buffer, socket.CMSG_SPACE(4))
        assert not flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC), 'the reply does not fit into the buffer of known clients'
        reply = pb.criu_resp()
        reply.ParseFromString(data)
        if reply.type != pb.NOTIFY:
            return reply
        passed = [array.array('i', fds)[0] for _, _, fds in control]
        if scripts is not None:
            scripts.append((reply.notify.script, reply.notify.pid if reply.notify.HasField('pid') else None, *passed))
        answer = pb.criu_req(type=pb.NOTIFY, notify_success=True)
        worker.sock.send(answer.SerializeToString())


def wait_for(condition, seconds=60):
    """Polls."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_as_go_criu(pb, criu, folder):
    """Version, features, dump and restore, each with a criu of its own and small buffers."""
    worker = Worker(criu)
    reply = ask(pb, worker, pb.criu_req(type=pb.VERSION))
    assert reply.success and reply.type == pb.VERSION
    number = reply.version.major_number * 10000 + reply.version.minor_number * 100 + reply.version.sublevel
    assert number >= 31600 and not reply.version.HasField('gitid')      # what Podman wants
    assert worker.end() == 0
    worker = Worker(criu)
    reply = ask(pb, worker, pb.criu_req(type=pb.FEATURE_CHECK, features=pb.criu_features(mem_track=True, lazy_pages=True)))
    assert reply.success and reply.features.HasField('mem_track') and reply.features.HasField('lazy_pages')
    assert not reply.features.pidfd_store
    assert worker.end() == 0

    with subprocess.Popen(['sleep', '1000'], start_new_session=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL) as process:
        images = os.open(folder, os.O_RDONLY)
        wait_for(lambda: os.readlink(f'/proc/{process.pid}/exe').endswith('sleep'))
        told = []
        opts = pb.criu_opts(images_dir_fd=images, pid=process.pid, log_level=4, log_file='dump.log', notify_scripts=True)
        worker = Worker(criu)
        reply = ask(pb, worker, pb.criu_req(type=pb.DUMP, opts=opts), told)
        assert reply.success and reply.type == pb.DUMP and not reply.dump.restored
        assert [script for script, _ in told] == ['pre-dump', 'query-ext-files', 'post-dump']
        assert worker.end() == 0
        process.wait()
    told = []
    opts = pb.criu_opts(images_dir_fd=images, log_level=4, log_file='restore.log', notify_scripts=True)
    worker = Worker(criu)
    reply = ask(pb, worker, pb.criu_req(type=pb.RESTORE, opts=opts), told)
    assert reply.success and reply.restore.pid == process.pid
    assert told == [('pre-restore', None), ('post-restore', process.pid), ('pre-resume', None), ('post-resume', None)]
    assert worker.end() == 0
    os.kill(process.pid, signal.SIGKILL)
    with subprocess.Popen(['sleep', '60'], start_new_session=True, stdin=subprocess.DEVNULL) as process:
        for kind in (pb.PRE_DUMP, pb.SINGLE_PRE_DUMP, pb.PAGE_SERVER, pb.PAGE_SERVER_CHLD):
            worker = Worker(criu)
            opts = pb.criu_opts(images_dir_fd=images, pid=process.pid)
            if kind in (pb.PAGE_SERVER, pb.PAGE_SERVER_CHLD):
                opts.ps.port = 0
            reply = ask(pb, worker, pb.criu_req(type=kind, opts=opts, keep_open=kind in (pb.PAGE_SERVER, pb.PAGE_SERVER_CHLD)))
            assert reply.type == (pb.PAGE_SERVER if kind == pb.PAGE_SERVER_CHLD else kind)
            assert reply.success, reply.cr_errmsg
            if reply.type == pb.PAGE_SERVER:
                os.kill(reply.ps.pid, signal.SIGKILL)       # it waits for a client
            worker.end()
        process.kill()
    os.close(images)


def test_as_runc(pb, criu, folder):
    """Descriptor 3, its standard streams are pipes that the caller keeps, given back by inherit_fd; the restored task is its child."""
    (folder / 'work').mkdir()
    images, work = os.open(folder, os.O_RDONLY), os.open(folder / 'work', os.O_RDONLY)
    config = folder / 'runc.conf'
    config.write_text('log-file named-by-config.log\n')
    script = 'while read line; do echo "got $line"; done'
    with subprocess.Popen(['bash', '-c', script], start_new_session=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE) as process:
        process.stdin.write(b'one\n')
        process.stdin.flush()
        assert process.stdout.readline() == b'got one\n'
        keys = [os.readlink(f'/proc/{process.pid}/fd/{fd}') for fd in range(3)]
        told = []
        opts = pb.criu_opts(images_dir_fd=images, work_dir_fd=work, log_level=4, log_file='dump.log', notify_scripts=True,
                            pid=process.pid, shell_job=False, leave_running=False, tcp_established=False, tcp_skip_in_flight=False,
                            ext_unix_sk=False, file_locks=False, empty_ns=0, orphan_pts_master=True, auto_dedup=False,
                            lazy_pages=False, link_remap=True)
        worker = Worker(criu, number=3)
        reply = ask(pb, worker, pb.criu_req(type=pb.DUMP, opts=opts), told, 40960)
        assert reply.success, (folder / 'work/dump.log').read_text()
        assert [script for script, _ in told] == ['pre-dump', 'query-ext-files', 'post-dump']
        assert worker.end() == 0
        assert process.wait() == -signal.SIGKILL
    # What was given to it before is not what it gets now.
    pipes = [os.pipe() for _ in range(3)]
    given = [pipes[0][0], pipes[1][1], pipes[2][1]]
    told = []
    opts = pb.criu_opts(images_dir_fd=images, work_dir_fd=work, log_level=4, log_file='restore.log', rst_sibling=True,
                        notify_scripts=True, shell_job=False, ext_unix_sk=False, tcp_established=False, file_locks=False,
                        empty_ns=0, orphan_pts_master=True, auto_dedup=False, lazy_pages=False, config_file=str(config),
                        evasive_devices=True)
    for i, key in enumerate(keys):
        opts.inherit_fd.add(key=key, fd=4 + i)
    worker = Worker(criu, given, number=3)
    for fd in given:
        os.close(fd)
    reply = ask(pb, worker, pb.criu_req(type=pb.RESTORE, opts=opts), told, 40960)
    assert reply.success, reply
    assert not (folder / 'work/restore.log').exists() and (folder / 'work/named-by-config.log').exists()
    pid = reply.restore.pid
    assert ('post-restore', pid) in told
    os.write(pipes[0][1], b'two\n')
    assert os.read(pipes[1][0], 100) == b'got two\n'
    assert worker.end() == 0
    os.close(pipes[0][1])
    assert os.waitpid(pid, 0) == (pid, 0)
    assert os.read(pipes[1][0], 100) == b''
    for fd in (pipes[1][0], pipes[2][0], images, work):
        os.close(fd)


def test_failure_as_runc_reads_it(pb, criu, folder):
    """It prints type and cr_errno, and searches the log for "Error"."""
    images = os.open(folder, os.O_RDONLY)
    worker = Worker(criu, number=3)
    opts = pb.criu_opts(images_dir_fd=images, log_level=4, log_file='restore.log', rst_sibling=True)
    reply = ask(pb, worker, pb.criu_req(type=pb.RESTORE, opts=opts))
    assert reply.type == pb.RESTORE and not reply.success and reply.cr_errno == 2 and reply.restore.pid == -1
    lines = [line for line in (folder / 'restore.log').read_text().splitlines() if 'Error' in line]
    assert lines and reply.cr_errmsg.strip() in lines[0]
    assert worker.end() == 1
    os.close(images)


def test_as_pycriu(pb, criu, folder):
    """A kept connection: CHECK closes it; WAIT_PID of what is no child."""
    worker = Worker(criu)
    for kind in (pb.VERSION, pb.FEATURE_CHECK, pb.VERSION):
        assert ask(pb, worker, pb.criu_req(type=kind, keep_open=True, features=pb.criu_features())).success
    reply = ask(pb, worker, pb.criu_req(type=pb.WAIT_PID, pid=1))
    assert reply.type == pb.WAIT_PID and not reply.success and not reply.HasField('cr_errno') and not reply.HasField('cr_errmsg')
    assert worker.end() == 1
    images = os.open(folder, os.O_RDONLY)
    worker = Worker(criu)
    opts = pb.criu_opts(images_dir_fd=images)
    assert ask(pb, worker, pb.criu_req(type=pb.CPUINFO_DUMP, opts=opts, keep_open=True)).success
    assert ask(pb, worker, pb.criu_req(type=pb.CPUINFO_CHECK, opts=opts, keep_open=True)).success
    assert worker.end() == 255       # it waited for another request
    os.close(images)
