# SPDX-License-Identifier: GPL-2.0-only
"""criu --unprivileged: an ordinary user with CAP_CHECKPOINT_RESTORE alone takes own programs through a checkpoint."""
import contextlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import rpc
import ways
from subject import Run, Subject

USER = 60103
IDS = ['--reuid', str(USER), '--regid', str(USER), '--clear-groups']
AS_USER = ['setpriv', *IDS, 'env', 'HOME=/nonexistent']
AS_CHECKPOINTER = ['setpriv', *IDS, '--inh-caps', '+checkpoint_restore', '--ambient-caps', '+checkpoint_restore',
                   'env', 'HOME=/nonexistent']

pytestmark = pytest.mark.usefixtures('open_tree')


class UserRun(Run):
    """Subject and criu belong to an ordinary user; the room is root's."""

    checkpointer = AS_CHECKPOINTER

    def start(self):
        for folder in (self.work, self.control):
            os.chown(folder, USER, USER)
        self.output.touch()
        os.chown(self.output, USER, USER)
        start = self.room.start
        self.room.start = lambda output, *words, **more: start(output, *AS_USER, *words, **more)
        try:
            return super().start()
        finally:
            self.room.start = start

    def folder_of_images(self):
        folder = super().folder_of_images()
        os.chown(folder, USER, USER)
        return folder

    def call_criu(self, command, images, *options, env=None, stream=None):
        run = self.room.run
        self.room.run = lambda *words, **more: run(*self.checkpointer, *words, '--unprivileged', **more)
        try:
            return super().call_criu(command, images, *options, env=env, stream=stream)
        finally:
            self.room.run = run


@pytest.mark.parametrize('way', ['unharmed', 'plain', 'twice'])
@pytest.mark.parametrize('name', [
    'file/deleted', 'file/epoll', 'file/pipe', 'file/regular', 'file/timerfd', 'memory/anonymous', 'memory/file-private', 'memory/shared-anonymous',
    'signal/pending', 'socket/tcp-listener', 'socket/unix-pair', 'task/limits', 'thread/several', 'timer/posix', 'tree/family',
    'tree/sessions', 'tree/zombie'])
def test_subject(build, criu, room, name, way):
    """The ways of subjects that need no rights themselves."""
    run = UserRun(Subject(build / 'tests/subjects' / name.replace('/', '.', 1)), room, criu)
    reason = run.start()
    if reason:
        pytest.skip(reason)
    getattr(ways, way)(run)
    run.release()


@pytest.mark.parametrize('capabilities', ['cap_checkpoint_restore', 'cap_checkpoint_restore,cap_sys_ptrace,cap_net_admin'])
def test_capabilities_of_the_file(build, criu, room, folder, capabilities):
    """The program itself has the capabilities, as setcap gives them: the kernel keeps others off such a process, but not criu off its own."""
    copy = folder / 'criu'
    shutil.copy(criu, copy)
    folder.chmod(0o755)
    subprocess.run(['setcap', f'{capabilities}+eip', copy], check=True)
    run = UserRun(Subject(build / 'tests/subjects/file.pipe'), room, copy)
    run.checkpointer = AS_USER
    run.start()
    ways.plain(run)
    run.release()


def test_without_the_option(criu, folder):
    """Who is not root says that he knows."""
    os.chown(folder, USER, USER)
    done = subprocess.run([*AS_CHECKPOINTER, criu, 'dump', '-t', str(os.getpid()), '-D', folder], stdout=subprocess.PIPE, text=True,
                          check=False)
    assert done.returncode == 1 and '--unprivileged' in done.stdout
    done = subprocess.run([*AS_USER, criu, 'dump', '--unprivileged', '-t', '1', '-D', folder], stdout=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1 and 'CAP_CHECKPOINT_RESTORE' in done.stdout
    assert not list(folder.iterdir())


def test_service_of_a_user(criu, folder):
    """It serves that user alone."""
    os.chown(folder, USER, USER)
    (folder / 'images').mkdir()
    os.chown(folder / 'images', USER, USER)
    user = {'user': USER, 'group': USER, 'extra_groups': []}
    client = [sys.executable, Path(rpc.__file__), folder / 'socket']
    images = {'images_dir': str(folder / 'images'), 'unprivileged': True}
    with subprocess.Popen([*AS_CHECKPOINTER, criu, 'service', '--unprivileged', '-W', folder, '--address', 'socket']) as service, \
            subprocess.Popen(['sleep', '1000'], start_new_session=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL, **user) as process, contextlib.ExitStack() as doomed:
        doomed.callback(process.kill)
        doomed.callback(service.kill)
        rpc.connect(folder / 'socket').sock.close()

        def ask(kind, opts, **more):
            """The reply."""
            done = subprocess.run([*client, kind, json.dumps(opts)], stdout=subprocess.PIPE, text=True, check=True, **more)
            return json.loads(done.stdout)[0]
        reply = ask('DUMP', {**images, 'pid': process.pid, 'unprivileged': False}, **user)
        assert not reply['success'] and reply['cr_errno'] == 56 and '--unprivileged' in reply['cr_errmsg'], reply
        assert ask('DUMP', {**images, 'pid': process.pid}, **user)['success']
        process.wait()
        for other in ({}, {'user': USER + 1, 'group': USER + 1, 'extra_groups': []}):
            reply = ask('RESTORE', images, **other)
            assert not reply['success'] and 'serves no other user' in reply['cr_errmsg'], reply
        reply = ask('RESTORE', images, **user)
        assert reply['success'], reply
        os.kill(process.pid, 9)
        service.kill()
