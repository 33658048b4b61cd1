# SPDX-License-Identifier: GPL-2.0-only
"""libcriu as it is installed: an example is built with pkg-config alone, with the shared and the static library."""
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import rpc
from room import PROGRAMS, wait_until

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
    done = subprocess.run([program, folder / 'images'], env=env, stdout=subprocess.PIPE, text=True, check=False, timeout=120)
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


def test_undo(installed, folder, criu, subject):
    """criu_undo(): how many things, and a sentence for each."""
    _, env = installed
    flags = ask(env, '--cflags', '--libs')
    library = next(flag[2:] for flag in flags if flag.startswith('-L'))
    subprocess.run(['cc', '-Wall', '-Werror', '-D_GNU_SOURCE', '-o', folder / 'undo', PROGRAMS / 'undo-by-libcriu.c', *flags], check=True)
    one = subject('memory/anonymous')
    images = one.pre_dump()
    env = {**os.environ, 'LD_LIBRARY_PATH': str(library)}
    said = [one.room.run(folder / 'undo', criu, images, one.pid, env=env).stdout for _ in range(2)]
    assert said[0].startswith('done: ') and 'userfaultfd' in said[0] and said[0].endswith('result 1\n'), said
    assert said[1] == 'result 0\n', said
    said = one.room.run(folder / 'undo', criu, images, 99999, env=env).stdout
    assert said == 'result -52\n', said        # EBADE
    one.compare('after the undo')
    one.release()


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
        assert process.wait(60) == -9, (folder / 'images/dump.log').read_text()
    assert (folder / 'said').read_text() == 'before\n'
    with rpc.start_swrk(criu) as client:
        reply = client.call('RESTORE', {'images_dir': str(folder / 'images'), 'rst_sibling': True})
        assert reply['success'], reply
        assert os.waitpid(reply['restore']['pid'], 0)[1] == 0, (folder / 'said').read_text()
    assert (folder / 'said').read_text() == 'before\nrestored 1\n'
    # By the command line as well: who restores it gives the answer.
    os.truncate(folder / 'said', len('before\n'))
    done = subprocess.run([criu, 'restore', '-D', folder / 'images'], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert (folder / 'said').read_text() == 'before\nrestored 1\n'
    if daemon:
        daemon.kill()
        daemon.wait()


FAMILY = """children say 3
pre-dump
dumped, it ended by signal 9
pre-restore
post-restore with a pid
pre-resume
restored, children say 3
children ended with 3
it ended"""


@pytest.mark.parametrize('uid', [None, 0, 60101])
def test_family(request, installed, folder, criu, uid):
    """A program with children dumps itself and is restored by its parent: with an own criu, by a service, by root's service for a user."""
    if uid:
        request.getfixturevalue('open_tree')
    root, env = installed
    flags = ask(env, '--cflags', '--libs')
    library = next(flag[2:] for flag in flags if flag.startswith('-L'))
    subprocess.run(['cc', '-Wall', '-Werror', '-D_GNU_SOURCE', '-o', folder / 'family', TOP / 'examples/libcriu/family.c', *flags],
                   check=True)
    (folder / 'images').mkdir()
    (folder / 'said').touch()
    env = {**os.environ, 'CRIU_BINARY': str(criu), 'LD_LIBRARY_PATH': str(library)}
    daemon, more = None, {}
    if uid is not None:
        daemon = subprocess.Popen([criu, 'service', '-W', folder, '--address', folder / 'socket'])
        rpc.connect(folder / 'socket').sock.close()
        env['CRIU_ADDRESS'] = str(folder / 'socket')
        more = {'user': uid, 'group': uid, 'extra_groups': []}
        for name in ('images', 'said'):
            os.chown(folder / name, uid, uid)
    subprocess.run([folder / 'family', folder / 'images', folder / 'said'], env=env, check=False, timeout=120, **more)
    said = (folder / 'said').read_text()
    # The program runs on while its parent is told of it.
    assert said.count('post-resume\n') == 1 and said.index('pre-resume') < said.index('post-resume'), said
    said = said.replace('post-resume\n', '')
    assert said == FAMILY + (' with 42\n' if uid is None else '\n'), said
    if daemon:
        daemon.kill()
        daemon.wait()
    assert root


def test_reach(installed, folder, criu):
    """A service by address and by a connected socket, an own criu by path and by name; and what cannot be reached."""
    _, env = installed
    flags = ask(env, '--cflags', '--libs')
    library = next(flag[2:] for flag in flags if flag.startswith('-L'))
    subprocess.run(['cc', '-Wall', '-Werror', '-D_GNU_SOURCE', '-o', folder / 'reach', PROGRAMS / 'reach.c',
                    *flags], check=True)
    with subprocess.Popen([criu, 'service', '-W', folder]) as daemon:
        rpc.connect(folder / 'criu_service.socket').sock.close()
        env = {**os.environ, 'CRIU_BINARY': str(criu), 'LD_LIBRARY_PATH': library, 'PATH': f'{criu.parent}:{os.environ["PATH"]}'}
        done = subprocess.run([folder / 'reach'], stdout=subprocess.PIPE, text=True, check=True, timeout=120, env=env, cwd=folder)
        daemon.kill()
    assert done.stdout == """default: 40200 -
address: 40200 -
default address: 40200 -
descriptor: 40200 -
binary: 40200 -
default binary: 40200 -
wrong address: -111 ENOENT
wrong binary: 1
wrong descriptor: -111
""", done.stdout


def test_iterations(installed, folder, criu):
    """criu_dump_iters(): as many pre-dumps as the program wants, and the dump."""
    _, env = installed
    flags = ask(env, '--cflags', '--libs')
    library = next(flag[2:] for flag in flags if flag.startswith('-L'))
    subprocess.run(['cc', '-Wall', '-Werror', '-D_GNU_SOURCE', '-o', folder / 'iterations',
                    PROGRAMS / 'iterations.c', *flags], check=True)
    for name in '123':
        (folder / name).mkdir()
    with subprocess.Popen(['sleep', '300'], start_new_session=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL) as process:
        try:
            done = subprocess.run([folder / 'iterations', str(process.pid), folder], stdout=subprocess.PIPE, text=True, check=True,
                                  timeout=60, env={**os.environ, 'CRIU_BINARY': str(criu), 'LD_LIBRARY_PATH': library})
            assert done.stdout == ('failed: -77\nround 1, no argument\nround 2, no argument\nround 3, no argument\n'
                                   'told pre-dump\ntold query-ext-files\ntold post-dump\ndumped: 0\n'), done.stdout
            assert process.wait(20) == -9
        finally:
            process.kill()
    assert os.readlink(folder / '3/parent') == '../2'
    done = subprocess.run([criu, 'restore', '-d', '-D', folder / '3', '-v4', '-o', 'restore.log'], check=False, timeout=60)
    assert done.returncode == 0, (folder / '3/restore.log').read_text()
    os.kill(process.pid, 9)


def test_terminal(installed, folder, criu):
    """The master of a restored terminal comes with its notification."""
    _, env = installed
    flags = ask(env, '--cflags', '--libs')
    library = next(flag[2:] for flag in flags if flag.startswith('-L'))
    subprocess.run(['cc', '-Wall', '-Werror', '-D_GNU_SOURCE', '-o', folder / 'terminal', PROGRAMS / 'terminal.c',
                    *flags], check=True)
    (folder / 'images').mkdir()
    done = subprocess.run([folder / 'terminal', folder / 'images'], stdout=subprocess.PIPE, text=True, check=True, timeout=120,
                          env={**os.environ, 'CRIU_BINARY': str(criu), 'LD_LIBRARY_PATH': library}, stdin=subprocess.DEVNULL)
    assert done.stdout == 'before: 0, no master: -1\ndump: 0\nrestore: 1, master: 1, after: 0\nsignal: 1\n', done.stdout


SENT = {
    'set_pid': {'pid': 12},
    'set_work_dir_fd': {'work_dir_fd': 9},
    'set_parent_images': {'parent_img': 'before'},
    'set_leave_running': {'leave_running': True},
    'set_ext_unix_sk': {'ext_unix_sk': True},
    'add_unix_sk': {'ext_unix_sk': True, 'unix_sk_ino': [{'inode': 77}]},
    **{f'set_{name}': {name: True} for name in
       ('tcp_established', 'tcp_skip_in_flight', 'tcp_close', 'weak_sysctls', 'evasive_devices', 'shell_job', 'skip_file_rwx_check',
        'unprivileged', 'orphan_pts_master', 'file_locks', 'track_mem', 'auto_dedup', 'force_irmap', 'link_remap')},
    'set_log_level': {'log_level': 4},
    'set_log_file': {'log_file': 'log'},
    'set_cpu_cap': {'cpu_cap': 3},
    'set_root': {'root': '/root'},
    'set_manage_cgroups': {'manage_cgroups': True},
    'set_manage_cgroups_mode': {'manage_cgroups_mode': 'STRICT'},
    'set_freeze_cgroup': {'freeze_cgroup': '/freezer'},
    'set_lsm_profile': {'lsm_profile': 'apparmor:x'},
    'set_lsm_mount_context': {'lsm_mount_context': 'context'},
    'set_timeout': {'timeout': 5},
    'set_auto_ext_mnt': {'auto_ext_mnt': True},
    'set_ext_sharing': {'ext_sharing': True},
    'set_ext_masters': {'ext_masters': True},
    'set_exec_cmd': {'exec_cmd': ['one', 'two']},
    'add_ext_mount': {'ext_mnt': [{'key': 'key', 'val': 'val'}]},
    'add_veth_pair': {'veths': [{'if_in': 'in', 'if_out': 'out'}]},
    'add_cg_root': {'cg_root': [{'ctrl': 'cpu', 'path': '/a'}]},
    'add_cg_root (NULL)': {'cg_root': [{'path': '/b'}]},
    'add_enable_fs': {'enable_fs': ['fs']},
    'add_skip_mnt': {'skip_mnt': ['/mnt']},
    'set_ghost_limit': {'ghost_limit': 4096},
    'add_irmap_path': {'irmap_scan_paths': ['/irmap']},
    'add_irmap_path (NULL)': {},
    'add_inherit_fd (socket)': {},
    'add_external': {'external': ['mnt[a]:b']},
    'set_page_server_address_port': {'ps': {'address': '127.0.0.1', 'port': 99}},
    'set_pre_dump_mode': {'pre_dump_mode': 'VM_READ'},
    'set_pre_dump_mode (7)': {},
    'set_pidfd_store_sk': {'pidfd_store_sk': 11},
    'set_network_lock': {'network_lock': 'SKIP'},
    'set_network_lock (9)': {},
    'join_ns_add': {'join_ns': [{'ns': 'user', 'ns_file': '/file', 'extra_opt': '1,2'}]},
    'join_ns_add (two)': {'join_ns': [{'ns': 'net', 'ns_file': '/file'}]},
    'join_ns_add (NULL)': {},
    'set_mntns_compat_mode': {'mntns_compat_mode': True},
    'set_config_file': {'config_file': '/config'},
    'set_notify_cb': {'notify_scripts': True},
    'set_progress_cb': {'tell_progress': True},
    'set_empty_ns': {'empty_ns': 0x40000000},
    # Not in CRIU 4.2.
    'add_map_path': {'map_path': ['/a=/b']},
    'add_tcp_map': {'tcp_map': [':1=:2']},
    'add_unix_peer': {'unix_peer': ['close:/run/x']},
    'set_joined': {'joined': 'leave'},
    'set_stream': {'stream': 5},
    'set_live': {'live': True},
    'set_discard': {'discard': True},
    'set_equal_pages': {'equal_pages': True},
    'set_bandwidth': {'bandwidth': 1 << 20},
    'set_max_rounds': {'max_rounds': 3},
    'set_round_size': {'round_size': 5 << 32},
    'set_max_downtime': {'max_downtime': 7},
    'set_rehearsal': {'rehearsal': False},
    'set_memory_first': {'memory_first': True},
    'set_post_copy': {'post_copy': 'auto'},
    'set_remote_criu': {'remote_criu': '/criu'},
    'set_remote_dir': {'remote_dir': '/dir'},
    'set_on_demand': {'on_demand': True},
    'set_tell_timeout': {'tell_timeout': 6},
    'set_new_pidns': {'new_pidns': True},
    'set_copies': {'copies': 2},
    'set_copy_net': {'copy_net': True},
    'set_copy_hostname': {'copy_hostname': 'host'},
    'set_copy_env': {'copy_env': '/env'},
    'set_checksum': {'checksum': True},
    'set_compress': {'compress': 'zstd'},
    'add_encrypt_to': {'encrypt_to': ['/certificate']},
    'set_decrypt_with': {'decrypt_with': '/key'},
}
SENT_LOCAL = {
    'add_cg_props': {'cgroup_props': 'stream'},
    'add_cg_props_file': {'cgroup_props_file': '/props'},
    'add_cg_dump_controller': {'cgroup_dump_controller': ['cpu']},
    'add_cg_yard': {'cgroup_yard': '/yard'},
}
ANSWERS = {
    'DUMP': {'success': True, 'dump': {'restored': False}},
    'CHECK': {'success': True},
    'FEATURE_CHECK': {'success': True, 'features': {'mem_track': False, 'lazy_pages': True, 'pidfd_store': True}},
    'VERSION': {'success': True, 'version': {'major_number': 4, 'minor_number': 2, 'sublevel': 1}},
    'RESTORE': {'success': False, 'cr_errno': 17},
}


def play_service(listener, requests):
    """Answers each request by what is in ANSWERS, and keeps it."""
    while True:
        try:
            sock, _ = listener.accept()
        except OSError:
            return
        with sock:
            request = rpc.decode('criu_req', sock.recv(65536))
            requests.append(request)
            sock.send(rpc.encode('criu_resp', {'type': request['type'], **ANSWERS[request['type']]}))


def test_progress(installed, folder, criu):
    """criu_set_progress_cb(): hears how far a pre-dump is; the callback for notifications does not."""
    _, env = installed
    flags = ask(env, '--cflags', '--libs')
    library = next(flag[2:] for flag in flags if flag.startswith('-L'))
    subprocess.run(['cc', '-Wall', '-Werror', '-D_GNU_SOURCE', '-o', folder / 'follow', PROGRAMS / 'follow.c', *flags], check=True)
    (folder / 'images').mkdir()
    with subprocess.Popen([sys.executable, PROGRAMS / 'hold.py', folder / 'ready', 'kept = os.urandom(12 << 20)'], stdin=subprocess.DEVNULL,
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True) as process:
        wait_until((folder / 'ready').exists, 60, 'it does not begin')
        done = subprocess.run([folder / 'follow', str(process.pid), folder / 'images'], stdout=subprocess.PIPE, text=True, check=True, timeout=60,
                              env={**os.environ, 'CRIU_BINARY': str(criu), 'LD_LIBRARY_PATH': library})
        process.kill()
    *told, last = done.stdout.splitlines()
    assert last == 'pre-dump 0', done.stdout
    numbers = [list(map(int, line.split()[1:])) for line in told if line.startswith('pre-dump ')]
    assert len(numbers) > 1 and [end for *_, end in numbers] == [0] * (len(numbers) - 1) + [1], done.stdout
    assert numbers[-1][0] == numbers[-1][1] > 12 << 20, done.stdout
    assert 'told progress' not in told, done.stdout


def test_setters(installed, folder):
    """What each setter sends, and returns, by the global options and by local ones."""
    _, env = installed
    flags = ask(env, '--cflags', '--libs')
    library = next(flag[2:] for flag in flags if flag.startswith('-L'))
    subprocess.run(['cc', '-Wall', '-Wextra', '-Werror', '-D_GNU_SOURCE', '-o', folder / 'setters',
                    PROGRAMS / 'setters.c', *flags], check=True)
    requests = []
    with rpc.seqpacket() as listener:
        listener.bind(str(folder / 'socket'))
        listener.listen()
        thread = threading.Thread(target=play_service, args=(listener, requests))
        thread.start()
        done = subprocess.run([folder / 'setters', folder / 'socket'], env={**os.environ, 'LD_LIBRARY_PATH': library},
                              stdout=subprocess.PIPE, text=True, check=True, timeout=120)
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()
    assert done.stdout == ('check 0 0, features 0 -1\nfound 0 1 1\niters -22\nversion 40201, refused -52\nlibrary agrees\n')
    expected = [fields for fields in SENT.values() for _ in range(2)] + \
        [part for fields in SENT_LOCAL.values() for part in ({}, fields)]
    dumps = [request for request in requests if request['type'] == 'DUMP']
    for number, (request, fields) in enumerate(zip(dumps, expected)):
        assert request['opts'] == {'images_dir_fd': 7, **fields}, number
    assert len(dumps) == len(expected)
    others = {request['type']: request for request in requests if request['type'] != 'DUMP'}
    assert 'opts' not in others['CHECK'] and 'opts' not in others['VERSION'] and 'opts' in others['RESTORE']
    assert others['FEATURE_CHECK']['features'] == {'mem_track': True, 'pidfd_store': True}


def test_prototypes(installed, folder):
    """A program that declares all functions itself, as the interface has them, compiles, also as C++."""
    _, env = installed
    source = [f'-DFUNCTIONS="{TOP}/tests/golden/libcriu/functions.h"', PROGRAMS / 'criu-prototypes.c']
    flags = ask(env, '--cflags', '--libs')
    subprocess.run(['cc', '-Wall', '-Werror', '-o', folder / 'use', *source, *flags], check=True)
    if shutil.which('c++'):
        subprocess.run(['c++', '-x', 'c++', '-Wall', '-Werror', '-c', '-o', folder / 'use.o', *source,
                        *ask(env, '--cflags')], check=True)


# The last two are ours.
MESSAGES = '''cgroup_root criu_dump_resp criu_features criu_notify criu_opts criu_page_server_info criu_req criu_resp
    criu_restore_resp criu_version criu_veth_pair ext_mount_map inherit_fd join_namespace unix_sk criu_undo_resp criu_migrate_resp'''.split()
MEANS = 'init get_packed_size pack pack_to_buffer unpack free_unpacked descriptor'.split()
ENUMS = 'criu_cg_mode criu_network_lock_method criu_pre_dump_mode criu_req_type'.split()


def test_symbols(installed):
    """The functions of CRIU 4.2 and those that the header has beside them, the generated code that programs look up, and nothing else; the
    soname. Each setter of ours is there for hidden options and for local ones, and is called in test_setters()."""
    root, _ = installed
    library = next(root.rglob('libcriu.so.2.0'))
    listed = subprocess.run(['nm', '-D', '--defined-only', library], check=True, stdout=subprocess.PIPE, text=True).stdout
    symbols = {line.split()[-1] for line in listed.splitlines()}
    golden = re.sub(r'/\*.*?\*/', '', (TOP / 'tests/golden/libcriu/functions.h').read_text(), flags=re.S)
    functions = set(re.findall(r'\b(criu_\w+)\(', golden)) | {'criu_lib_version'}
    assert len(functions) == 142
    header = next(root.rglob('criu/criu.h'))
    declared = set(re.findall(r'\b(criu_\w+)\(', re.sub(r'/\*.*?\*/', '', header.read_text(), flags=re.S)))
    assert functions - declared == {'criu_lib_version', 'criu_free_service'}
    own = {re.sub('^criu_(local_)?', '', name) for name in declared - functions}
    assert declared - functions == {f'criu_{local}{name}' for local in ('', 'local_') for name in own}
    called = re.findall(r'\w+', (PROGRAMS / 'setters.c').read_text()) + ['undo', 'migrate', 'migrate_ask']      # test_undo(); test_migrate_request.py
    assert not own.difference(called)
    functions |= declared
    assert symbols == functions | {f'{name}__{mean}' for name in MESSAGES for mean in MEANS} | {f'{name}__descriptor' for name in ENUMS}
    assert 'libcriu.so.2]' in subprocess.run(['readelf', '-d', library], check=True, stdout=subprocess.PIPE, text=True).stdout
    assert {path.name for path in header.parent.iterdir()} >= {'criu.h', 'version.h', 'rpc.pb-c.h', 'rpc.proto'}
    assert {path.name for path in library.parent.iterdir()} >= {'libcriu.so', 'libcriu.so.2', 'libcriu.a'}
