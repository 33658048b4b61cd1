# SPDX-License-Identifier: GPL-2.0-only
"""libsoccr from outside: what is installed, and the example that moves a connection between processes."""
import os
import shutil
import subprocess

import pytest

from room import wait_until

# Answers nothing, reads nothing: all that comes stays in the queue.
HOLDER = '''
import os, socket, sys, time
family, folder = int(sys.argv[1]), sys.argv[2]
listener = socket.socket(family)
listener.bind(("127.0.0.1" if family == socket.AF_INET else "::1", 0))
listener.listen()
with open(folder + "/port.new", "w") as file:
    file.write(str(listener.getsockname()[1]))
os.rename(folder + "/port.new", folder + "/port")
connection, _ = listener.accept()
connection.sendall(b"hello ")
os.dup2(connection.fileno(), 50)
open(folder + "/accepted", "w").close()
time.sleep(1000)
'''

ANSWERER = 'import os\nwhile data := os.read(0, 65536): os.write(1, data.upper())\n'

CLIENT = '''
import socket, sys
family, port = int(sys.argv[1]), int(sys.argv[2])
connection = socket.create_connection(("127.0.0.1" if family == socket.AF_INET else "::1", port))
stream = connection.makefile("rwb", buffering=0)
for number in range(200):
    connection.sendall(b"line %d\\n" % number)
    wanted = (b"hello " if number == 0 else b"") + b"LINE %d\\n" % number
    got = stream.readline()
    if got != wanted:
        sys.exit("got %r, not %r" % (got, wanted))
connection.shutdown(socket.SHUT_WR)
if stream.read(1) != b"":
    sys.exit("no end")
print("fine")
'''

PYTHON = '/usr/bin/python3'

USER = '''
#include <soccr.h>
#include <stdio.h>
int main(void)
{
    struct libsoccr_sk_data data = { .state = 1, .flags = SOCCR_FLAGS_WINDOW };
    libsoccr_set_log(SOCCR_LOG_ERR, 0);
    printf("%d %d %d %d\\n", (int)sizeof(data), SOCCR_MARK, libsoccr_pause(-1) == 0, libsoccr_save(0, &data, sizeof(data)));
    return 0;
}
'''


@pytest.mark.parametrize('family', [2, 10], ids=['IPv4', 'IPv6'])
def test_move(build, room, folder, family):
    """A connection goes from a process that sleeps to one that answers; its client notices nothing."""
    holder = room.start(folder / 'holder.out', PYTHON, '-c', HOLDER, family, folder)
    wait_until((folder / 'port').exists, 10, 'nobody listens')
    port = (folder / 'port').read_text()
    room.start(folder / 'client.out', PYTHON, '-c', CLIENT, family, port)
    wait_until((folder / 'accepted').exists, 10, 'the connection is not accepted')
    done = room.run(build / 'lib/soccr/soccr-move', holder, 50, PYTHON, '-c', ANSWERER)
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
    source = tmp_path / ('user.cc' if compiler == 'g++' else 'user.c')
    source.write_text(USER)
    subprocess.run([compiler, '-Wall', '-Werror', '-o', tmp_path / 'user', source, *flags], check=True)
    env['LD_LIBRARY_PATH'] = str(found['libsoccr.so'].parent)
    done = subprocess.run([tmp_path / 'user'], env=env, check=True, stdout=subprocess.PIPE, text=True)
    assert done.stdout == '68 49428 1 -1\n'


def test_exports(installed):
    """Nothing but the interface is seen from outside."""
    library = next(installed.rglob('libsoccr.so.1'))
    lines = subprocess.run(['nm', '-D', '--defined-only', library], check=True, stdout=subprocess.PIPE, text=True).stdout
    names = {line.split()[-1].split('@')[0] for line in lines.splitlines()}
    assert names == {'libsoccr_' + name for name in (
        'set_log', 'pause', 'resume', 'release', 'save', 'get_queue_bytes', 'get_addr', 'set_queue_bytes', 'set_addr', 'restore')}
