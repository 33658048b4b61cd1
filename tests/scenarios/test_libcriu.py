# SPDX-License-Identifier: GPL-2.0-only
"""libcriu as it is installed: an example is built with pkg-config alone, with the shared and the static library."""
import os
import re
import subprocess
from pathlib import Path

import pytest
import rpc

TOP = Path(__file__).resolve().parents[2]
SAID = '''version 40200, new enough: 1
pidfd_store 1 mem_track 0
notified: pre-dump 0
notified: query-ext-files 0
notified: post-dump 0
dumped, it ended by signal 9
notified: pre-restore 0
notified: post-restore PID
notified: pre-resume 0
notified: post-resume 0
restored: the same pid: 1
it ended with 42
notified: pre-dump 0
nobody: -52, errno 3
'''


@pytest.fixture
def installed(build, folder):
    """Where everything is installed, and the environment for pkg-config."""
    subprocess.run(['/usr/bin/meson', 'install', '-C', build, '--no-rebuild', '--quiet', '--destdir', folder / 'root'],
                   check=True, stdout=subprocess.DEVNULL)
    file = next((folder / 'root').rglob('criu.pc'))
    return folder / 'root', {**os.environ, 'PKG_CONFIG_SYSROOT_DIR': str(folder / 'root'),
                             'PKG_CONFIG_PATH': f'{file.parent}:{os.environ.get("PKG_CONFIG_PATH", "")}'}


def ask(env, *words):
    """What pkg-config says."""
    return subprocess.run(['pkg-config', *words, 'criu'], env=env, check=True, stdout=subprocess.PIPE, text=True).stdout.split()


def run(program, folder, criu, library):
    """Runs the example; its own pids are replaced."""
    (folder / 'images').mkdir(exist_ok=True)
    # restore_child takes the binary that was set, so a path suffices.
    env = {**os.environ, 'CRIU_BINARY': str(criu), 'LD_LIBRARY_PATH': str(library)}
    done = subprocess.run([program, folder / 'images'], env=env, stdout=subprocess.PIPE, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout
    return re.sub(r'(post-restore) [1-9]\d*', r'\1 PID', done.stdout)


def test_example(installed, folder, criu):
    """Version, features, dump with notifications, restore as a child, errors."""
    _, env = installed
    assert ask(env, '--modversion') == ['4.2']
    flags = ask(env, '--cflags', '--libs')
    library = next(flag[2:] for flag in flags if flag.startswith('-L'))
    source = TOP / 'examples/libcriu/child.c'
    subprocess.run(['cc', '-Wall', '-Werror', '-D_GNU_SOURCE', '-o', folder / 'child', source, *flags], check=True)
    assert run(folder / 'child', folder, criu, library) == SAID
    static = [flag for flag in flags if flag != '-lcriu']
    subprocess.run(['cc', '-D_GNU_SOURCE', '-o', folder / 'static', source, *static, f'{library}/libcriu.a', '-lprotobuf-c'],
                   check=True)
    assert run(folder / 'static', folder, criu, '/nowhere') == SAID


@pytest.mark.parametrize('service', [False, True])
def test_self(installed, folder, criu, service):
    """A program dumps itself, is gone, comes back by criu's service, and sees that its call ended in the restored process."""
    _, env = installed
    flags = ask(env, '--cflags', '--libs')
    library = next(flag[2:] for flag in flags if flag.startswith('-L'))
    subprocess.run(['cc', '-Wall', '-Werror', '-D_GNU_SOURCE', '-o', folder / 'self', TOP / 'examples/libcriu/self.c', *flags],
                   check=True)
    (folder / 'images').mkdir()
    env = {**os.environ, 'CRIU_BINARY': str(criu), 'LD_LIBRARY_PATH': str(library)}
    daemon = None
    if service:
        daemon = subprocess.Popen([criu, 'service', '-W', folder, '--address', folder / 'socket'])
        rpc.connect(folder / 'socket').sock.close()
        env['CRIU_ADDRESS'] = str(folder / 'socket')
    with subprocess.Popen([folder / 'self', folder / 'images', folder / 'said'], env=env, start_new_session=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        assert process.wait(30) == -9, (folder / 'images/dump.log').read_text()
    assert (folder / 'said').read_text() == 'before\n'
    with rpc.start_swrk(criu) as client:
        reply = client.call('RESTORE', {'images_dir': str(folder / 'images'), 'rst_sibling': True})
        assert reply['success'], reply
        assert os.waitpid(reply['restore']['pid'], 0)[1] == 0, (folder / 'said').read_text()
    assert (folder / 'said').read_text() == 'before\nrestored 1\n'
    if daemon:
        daemon.kill()
        daemon.wait()


def test_symbols(installed, folder):
    """All functions of the header and those that programs look up, and nothing else; the soname."""
    root, env = installed
    library = next(root.rglob('libcriu.so.2.0'))
    header = (root / 'usr/local/include/criu/criu.h')
    header = header if header.exists() else next(root.rglob('criu/criu.h'))
    listed = subprocess.run(['nm', '-D', '--defined-only', library], check=True, stdout=subprocess.PIPE, text=True).stdout
    symbols = {line.split()[-1] for line in listed.splitlines()}
    declared = set(re.findall(r'\b(criu_\w+)\(', re.sub(r'/\*.*?\*/', '', header.read_text(), flags=re.S)))
    assert len(declared) > 130 and declared <= symbols, declared - symbols
    assert {'criu_req__pack', 'criu_opts__init', 'cgroup_root__descriptor', 'inherit_fd__free_unpacked', 'criu_lib_version',
            'criu_free_service', 'criu_req_type__descriptor', 'unix_sk__unpack'} <= symbols
    assert not [name for name in symbols if not re.match(r'criu_|(cgroup_root|ext_mount_map|inherit_fd|join_namespace|unix_sk)__', name)]
    assert 'libcriu.so.2]' in subprocess.run(['readelf', '-d', library], check=True, stdout=subprocess.PIPE, text=True).stdout
    assert {path.name for path in header.parent.iterdir()} >= {'criu.h', 'version.h', 'rpc.pb-c.h', 'rpc.proto'}
    assert env and folder
