# SPDX-License-Identifier: GPL-2.0-only
"""libsoccr from outside: what is installed, and the example that moves a connection between processes."""
import os
import shutil
import subprocess

import pytest

from room import PROGRAMS, wait_until

PYTHON = '/usr/bin/python3'


@pytest.mark.parametrize('family', [2, 10], ids=['IPv4', 'IPv6'])
def test_move(build, room, folder, family):
    """A connection goes from a process that sleeps to one that answers; its client notices nothing."""
    holder = room.start(folder / 'holder.out', PYTHON, PROGRAMS / 'tcp-server.py', family, folder, 'silent')
    wait_until((folder / 'port').exists, 10, 'nobody listens')
    port = (folder / 'port').read_text()
    room.start(folder / 'client.out', PYTHON, PROGRAMS / 'lines-client.py', family, port)
    wait_until((folder / 'accepted').exists, 10, 'the connection is not accepted')
    done = room.run(build / 'lib/soccr/soccr-move', holder, 50, PYTHON, PROGRAMS / 'answer-in-capitals.py')
    assert done.returncode == 0, done.stdout
    output = folder / 'client.out'
    wait_until(lambda: output.read_text().strip(), 5, 'the client does not end')
    assert output.read_text().strip() == 'fine'


@pytest.fixture(scope='module')
def installed(build, tmp_path_factory):
    """The library as make install leaves it."""
    folder = tmp_path_factory.mktemp('install')
    subprocess.run(['/usr/bin/meson', 'install', '-C', build, '--no-rebuild', '--quiet', '--destdir', folder], check=True,
                   stdout=subprocess.DEVNULL)
    return folder


@pytest.mark.parametrize('compiler', ['gcc', 'g++', 'clang'])
@pytest.mark.parametrize('static', [True, False], ids=['static', 'shared'])
def test_use(installed, tmp_path, compiler, static):
    """A program finds it by pkg-config, compiles and runs."""
    if not shutil.which(compiler):
        pytest.skip(f'no {compiler} here')
    found = {path.name: path for path in installed.rglob('*') if 'soccr' in path.name}
    assert {'soccr.h', 'soccr.pc', 'libsoccr.a', 'libsoccr.so', 'libsoccr.so.1'} <= set(found), found
    env = {**os.environ, 'PKG_CONFIG_PATH': str(found['soccr.pc'].parent), 'PKG_CONFIG_SYSROOT_DIR': str(installed)}
    flags = subprocess.run(['pkg-config', '--cflags', '--libs', 'soccr'], env=env, check=True, stdout=subprocess.PIPE,
                           text=True).stdout.split()
    if static:
        flags = [str(found['libsoccr.a']) if flag == '-lsoccr' else flag for flag in flags]
    language = ['-x', 'c++' if compiler == 'g++' else 'c', PROGRAMS / 'soccr-user.c', '-x', 'none']
    subprocess.run([compiler, '-Wall', '-Werror', '-o', tmp_path / 'user', *language, *flags], check=True)
    env['LD_LIBRARY_PATH'] = str(found['libsoccr.so'].parent)
    done = subprocess.run([tmp_path / 'user'], env=env, check=True, stdout=subprocess.PIPE, text=True)
    assert done.stdout == '68 49428 1 -1\n'


def test_exports(installed):
    """Nothing but the interface is seen from outside."""
    library = next(installed.rglob('libsoccr.so.1'))
    lines = subprocess.run(['nm', '-D', '--defined-only', library], check=True, stdout=subprocess.PIPE, text=True).stdout
    names = {line.split()[-1].split('@')[0] for line in lines.splitlines()}
    assert names == {'libsoccr_' + name for name in (
        'set_log', 'pause', 'resume', 'release', 'save', 'get_queue_bytes', 'get_addr', 'set_queue_bytes', 'set_addr', 'restore',
        'send_segment')}
