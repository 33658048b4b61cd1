# SPDX-License-Identifier: GPL-2.0-only
"""Ordinary users at the service of root: they get their own processes back, and nothing else whatever they try."""
import json
import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
import rpc
from room import PROGRAMS
from users import (OTHER, PYTHON, QUIET, USER, adopt, as_user, idle_client, kill_session, open_world, reap, service_pid, status_of,
                   wait_for)


@pytest.fixture(scope='module', autouse=True)
def orphans():
    """Are ours as long as these tests run."""
    adopt(True)
    yield
    reap()
    adopt(False)


@pytest.fixture
def world(criu, build, folder):
    """A World."""
    opened, service = open_world(criu, build, folder)
    yield opened
    opened.end()
    assert service.poll() is None, 'the service has ended'
    service.kill()
    service.wait()


def test_own_tree(world):
    """Dump and restore of the user's program and its child, with notifications; they have what they had and no more."""
    process = world.start()
    before = status_of(process.pid)
    reply, told = world.ask('DUMP', pid=process.pid, log_file='dump.log')
    assert reply['success'], reply
    assert [script for script, _ in told] == ['pre-dump', 'query-ext-files', 'post-dump']
    assert process.wait(60) == -signal.SIGKILL
    assert {path.stat().st_uid for path in world.images.iterdir()} == {USER}
    reply, told = world.ask('RESTORE', log_file='restore.log')
    try:
        assert reply['success'] and reply['restore']['pid'] == process.pid, reply
        assert told == [['pre-restore', None], ['post-restore', process.pid], ['pre-resume', None], ['post-resume', None]]
        after = status_of(process.pid)
        for name in ('Uid', 'Gid', 'Groups', 'CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb', 'NoNewPrivs', 'Seccomp', 'Umask'):
            assert before[name] == after[name], name
        os.kill(process.pid, signal.SIGUSR1)
        wait_for(lambda: (world.home / 'kept').read_text())
        assert (world.home / 'kept').read_text() == f'still here x {USER} True\n'
    finally:
        kill_session(process.pid)


@pytest.fixture(scope='module')
def saved(request):
    """A checkpoint of the user's program, made once: (directory of the images, pid)."""
    import tempfile     # pylint: disable=import-outside-toplevel
    folder = Path(tempfile.mkdtemp(prefix='criu-test-', dir='/dev/shm'))
    os.chmod(folder, 0o755)
    build = Path(request.config.getoption('--build')).resolve()
    opened, service = open_world(Path(request.config.getoption('--criu') or build / 'criu').resolve(), build, folder)
    process = opened.start()
    reply, _ = opened.ask('DUMP', pid=process.pid, log_file='dump.log')
    assert reply['success'], reply
    process.wait()
    service.kill()
    service.wait()
    yield opened, process.pid
    shutil.rmtree(folder)


def creds(**changes):
    """Changes the credentials of all threads."""
    def change(entries):
        for entry in entries:
            entry['thread_core']['creds'].update(changes)
    return 'core-PID.img', change


def core(path, **changes):
    """Changes a part of the task's core."""
    def change(entries):
        part = entries[0]
        for name in path.split('.'):
            part = part[name]
        part.update(changes)
    return 'core-PID.img', change


def limit(number, value):
    """Changes a resource limit."""
    def change(entries):
        entries[0]['tc']['rlimits']['rlimits'][number].update(cur=value, max=value)
    return 'core-PID.img', change


def file(ending, **changes):
    """Changes the regular file or directory whose name ends like this."""
    def change(entries):
        found = [entry['reg'] for entry in entries if entry['type'] == 'REG' and entry['reg']['name'].endswith(ending)]
        assert found
        for record in found:
            for name in ('size', 'build_id'):
                record.pop(name, None)
            record.update(changes)
    return 'files.img', change


def program(entries):
    """Makes the program that is executed one that only root may read."""
    exe = next(entry['reg'] for entry in entries if entry['type'] == 'REG' and 'python' in entry['reg']['name'])
    exe.update(name='/etc/shadow', mode=0o100640)
    exe.pop('size', None)
    exe.pop('build_id', None)


def bind_over(entries):
    """Puts the listening socket where only root may make files."""
    found = [entry['usk'] for entry in entries if entry['type'] == 'UNIXSK' and entry['usk'].get('name')]
    assert found
    for record in found:
        record['name'] = '/etc/criu-test-socket\0' if isinstance(record['name'], str) else record['name']
        record.pop('name_dir', None)


ALL_CAPS = [0xffffffff, 0x1ff]
ATTACKS = {
    'uid': (creds(uid=0), 'user 0'),
    'euid': (creds(euid=0), 'user 0'),
    'saved uid': (creds(suid=0), 'user 0'),
    'another uid': (creds(uid=OTHER, euid=OTHER, suid=OTHER, fsuid=OTHER), f'user {OTHER}'),
    'gid': (creds(gid=0, egid=0, sgid=0, fsgid=0), 'group 0'),
    'groups': (creds(groups=[0]), 'groups'),
    'permitted': (creds(cap_prm=ALL_CAPS, cap_eff=ALL_CAPS), 'capabilities'),
    'one capability': (creds(cap_prm=[0, 0x100], cap_eff=[0, 0x100]), 'capabilities'),
    'inheritable': (creds(cap_inh=ALL_CAPS), 'capabilities'),
    'ambient': (creds(cap_amb=ALL_CAPS), 'capabilities'),
    'securebits': (creds(secbits=0x15), 'securebits'),
    'nice': (core('thread_core', sched_nice=-20), 'nice'),
    'real time': (core('thread_core', sched_policy=1, sched_prio=50), 'scheduling'),
    'oom score': (core('tc', oom_score_adj=-1000), 'oom_score_adj'),
    'read a file': (file('/kept', name='/etc/shadow', mode=0o100640, flags=''), 'shadow'),
    'write a file': (file('/kept', name='/etc/passwd', mode=0o100644), 'passwd'),
    'memory of init': (file('/kept', name='/proc/1/mem', mode=0o100600), 'proc/1/mem'),
    'memory of the worker': (file('/kept', name='/proc/self/mem', mode=0o100600), "criu's own"),
    'memory of a thread': (file('/kept', name='/proc/thread-self/mem', mode=0o100600), "criu's own"),
    'descriptor of the worker': (file('/kept', name='/proc/self/fd/0', mode=0o20666), 'symbolic links|kept'),
    'current directory': (file('/home', name='/root', mode=0o40700), 'root'),
    'root directory': (file('/', name='/tmp', mode=0o41777), 'chroot|root directory'),
    'program': (('files.img', program), 'shadow'),
    'socket': (('files.img', bind_over), 'criu-test-socket'),
}


@pytest.mark.parametrize('name', ATTACKS)
def test_crafted_images(world, saved, name):
    """What an image claims is not given to who may not have it; nothing is left behind."""
    origin, pid = saved
    (image, change), text = ATTACKS[name]
    shutil.rmtree(world.images)
    shutil.copytree(origin.images, world.images)
    for path in [world.images, *world.images.iterdir()]:
        os.chown(path, USER, USER)
    world.edit(image.replace('PID', str(pid)), change)
    reply, _ = world.ask('RESTORE', log_file='restore.log')
    kill_session(pid)
    assert not reply['success'], (world.images / 'restore.log').read_text()
    assert re.search(text, reply['cr_errmsg']), reply
    assert not Path(f'/proc/{pid}').exists()
    assert not Path('/etc/criu-test-socket').exists()


def test_workers_of_the_same_user(world, saved):
    """They have a capability that their user has not, so he gets no hold of them: neither by a dump, nor by a file that he claims to have open."""
    process, worker = idle_client(world)
    assert int(status_of(worker)['CapPrm'], 16) == 1 << 40 and int(status_of(worker)['CapEff'], 16) == 1 << 40
    assert int(status_of(worker)['CapInh'], 16) == 0 and int(status_of(worker)['CapAmb'], 16) == 0
    assert not Path(f'/proc/{worker}/environ').read_bytes().strip(b'\0')
    reply, _ = world.ask('DUMP', pid=worker)
    assert not reply['success'] and reply['cr_errno'] == 1 and 'capabilities' in reply['cr_errmsg'], reply
    assert not list(world.images.glob('pages*'))
    for name in ('mem', 'maps', 'fd/0', 'map_files/400000-401000', f'task/{worker}/mem', 'environ'):
        shutil.rmtree(world.images)
        shutil.copytree(saved[0].images, world.images)
        for path in [world.images, *world.images.iterdir()]:
            os.chown(path, USER, USER)
        world.edit(*file('/kept', name=f'/proc/{worker}/{name}', mode=0o100600, flags=''))
        reply, _ = world.ask('RESTORE', log_file='restore.log')
        kill_session(saved[1])
        assert not reply['success'] and reply['cr_errno'] in (1, 40, 2), (name, reply)
    assert world.ask('VERSION')[0]['success']
    process.kill()
    process.wait()
    process.stdout.close()


def test_ghost_file_with_power(world, saved):
    """A deleted file that claims to be root's and setuid becomes no such file."""
    origin, pid = saved
    shutil.rmtree(world.images)
    shutil.copytree(origin.images, world.images)
    for path in [world.images, *world.images.iterdir()]:
        os.chown(path, USER, USER)
    ghost, = [path.name for path in world.images.glob('ghost-file-*')]

    def claim(entries):
        entries[0].update(uid=0, gid=0, mode=0o106755)
    world.edit(ghost, claim)
    reply, _ = world.ask('RESTORE', log_file='restore.log')
    try:
        if reply['success']:
            states = [os.stat(f'/proc/{pid}/fd/{fd}') for fd in os.listdir(f'/proc/{pid}/fd')]
            assert not [state for state in states if state.st_mode & 0o6000 and state.st_uid != USER]
        else:
            assert reply['cr_errno'] == 1, reply
    finally:
        kill_session(pid)


CONFIG = {
    'inherit-fd fd[0]:x': 56,
    'restore-sibling': 56,
    'ps-socket 0': 56,
    'libdir /tmp': 56,
    'log-file /etc/criu-test.log': 56,
    'work-dir /root': 56,
    'images-dir /root': 56,
    'pidfile /etc/criu-test.pid': 13,
    'close 3': None,
}


@pytest.mark.parametrize('line', CONFIG)
def test_config_files(world, saved, line):
    """What a request may not ask for, its config file may not either."""
    config = world.home / 'config'
    config.write_text(line + '\n')
    shutil.rmtree(world.images)
    shutil.copytree(saved[0].images, world.images)
    for path in [world.images, *world.images.iterdir()]:
        os.chown(path, USER, USER)
    reply, _ = world.ask('RESTORE', log_file='restore.log', config_file=str(config))
    kill_session(saved[1])
    assert not (reply and reply['success']), reply
    if CONFIG[line]:
        assert reply['cr_errno'] == CONFIG[line], reply
    assert not Path('/etc/criu-test.log').exists() and not Path('/etc/criu-test.pid').exists()


def test_scripts_run_as_the_user(world):
    """Action scripts and exec_cmd have the rights of the client, no capability and no descriptor or terminal of the service."""
    report = world.home / 'report'
    script = world.home / 'script'
    script.write_text(f'''#!/bin/sh
{{ id -u; id -G; grep Cap[PEA] /proc/self/status; ls /proc/self/fd | wc -l; ls -l /proc/self/fd; env; ps -o tty= -p $$; }} >> {report}.$CRTOOLS_SCRIPT_ACTION 2>&1
''')
    script.chmod(0o755)
    (world.home / 'config').write_text(f'action-script {script}\n')
    process = world.start()
    reply, _ = world.ask('DUMP', pid=process.pid, config_file=str(world.home / 'config'))
    assert reply['success'], reply
    process.wait()
    command = ['sh', '-c', f'CRTOOLS_SCRIPT_ACTION=exec {script}; kill -9 -{process.pid}']
    reply, _ = world.ask('RESTORE', exec_cmd=command)
    assert reply['success'], reply
    wait_for((world.home / 'report.exec').exists)
    wait_for(lambda: reap() or not Path(f'/proc/{process.pid}').exists())
    for name in ('pre-dump', 'post-dump', 'exec'):
        said = (world.home / f'report.{name}').read_text()
        assert said.startswith(f'{USER}\n{USER}\n'), said
        assert said.count('Cap') == 3 and said.count('0000000000000000') == 3, said
        assert '/dev/pts' not in said and 'service.log' not in said and 'HOME=' not in said, said
        assert said.rstrip().endswith('?'), said


def test_questions(world):
    """What does not touch anybody is answered."""
    for kind in ('CHECK', 'CPUINFO_DUMP', 'CPUINFO_CHECK', 'FEATURE_CHECK', 'VERSION'):
        reply, _ = world.ask(kind, log_file='log')
        assert reply['success'], reply
    assert (world.images / 'log').stat().st_uid == USER and (world.images / 'cpuinfo.img').stat().st_uid == USER


def test_others_tasks(world):
    """Tasks of root, of another user, and a program of the user's that others may not look into."""
    other = subprocess.Popen(['sleep', '1000'], start_new_session=True, **QUIET, **as_user(OTHER))
    # It has the user's id, but got it by dropping rights: it may know secrets.
    dropped = subprocess.Popen([PYTHON, PROGRAMS / 'become-user.py', str(USER)], start_new_session=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    dropped.stdout.readline()
    group = subprocess.Popen(['sleep', '1000'], start_new_session=True, **QUIET, **as_user(group=OTHER))
    for pid in (1, os.getpid(), other.pid, dropped.pid, group.pid):
        reply, _ = world.ask('DUMP', pid=pid)
        assert not reply['success'] and reply['cr_errno'] in (1, 13), reply
        assert not list(world.images.glob('pages*'))
    for process in (other, dropped, group):
        assert process.poll() is None
        process.kill()
        process.wait()
    dropped.stdout.close()


def test_what_could_not_come_back(world):
    """A descriptor that the user could not open again: the task is not killed for a checkpoint that is of no use to him."""
    for name, flags, mode in (('writable', os.O_WRONLY, 0o644), ('readable', os.O_RDONLY, 0o600)):
        (world.folder / name).touch()
        (world.folder / name).chmod(mode)
        secret = os.open(world.folder / name, flags)
        with subprocess.Popen(['sleep', '1000'], start_new_session=True, stdin=secret if flags == os.O_RDONLY else subprocess.DEVNULL,
                              stdout=secret if flags == os.O_WRONLY else subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                              **as_user()) as process:
            reply, _ = world.ask('DUMP', pid=process.pid)
            assert not reply['success'] and reply['cr_errno'] == 13 and name in reply['cr_errmsg'], reply
            assert process.poll() is None
            reply, _ = world.ask('DUMP', pid=process.pid, leave_running=True, log_file='dump.log')
            assert reply['success'] and 'only root can restore' in (world.images / 'dump.log').read_text(), reply
            process.kill()
        os.close(secret)


def test_others_directories(world):
    """The images directory must be the client's to write to, whatever descriptor it has; links in it lead where the client may go."""
    process = world.start()
    for images in ('/etc', '/'):
        before = os.listdir(images)
        reply, _ = world.ask('DUMP', images=images, pid=process.pid)
        assert not reply['success'] and reply['cr_errno'] == 56, reply
        assert os.listdir(images) == before
    secret = world.folder / 'secret'
    secret.write_text('precious')
    secret.chmod(0o600)
    for name in ('dump.log', 'inventory.img', f'core-{process.pid}.img'):
        for path in world.images.iterdir():
            path.unlink()
        (world.images / name).symlink_to(secret)
        reply, _ = world.ask('DUMP', pid=process.pid, log_file='dump.log', leave_running=True)
        assert secret.read_text() == 'precious'
        # An old inventory is removed before anything is written; other links are refused.
        assert reply['success'] == (name == 'inventory.img') and not (world.images / 'inventory.img').is_symlink(), reply
    process.kill()
    process.wait()


# How a client is started, below {} the programs, and what it is told.
CONFINED = {
    'no_new_privs': (['setpriv', '--no-new-privs'], 'no_new_privs'),
    'user namespace': (['unshare', '--user'], 'another user namespace'),
    'mount namespace': (['unshare', '--user', '--mount', '--map-current-user'], 'another user namespace'),
    'one thread': ([PYTHON, '{}/confine-one-thread.py'], 'no_new_privs'),
    'seccomp': ([PYTHON, '{}/confine-by-seccomp.py'], 'seccomp'),
}


@pytest.mark.parametrize('name', CONFINED)
def test_confined_clients(world, name):
    """Who lives in a sandbox may ask questions, but gets nothing done outside of it."""
    prefix, text = CONFINED[name]
    prefix = [word.format(world.programs) for word in prefix]
    process = world.start()
    assert world.ask('VERSION', prefix)[0]['success']
    for kind, opts in (('DUMP', {'pid': process.pid}), ('RESTORE', {}), ('CPUINFO_DUMP', {}),
                       ('DUMP', {'config_file': '/etc/shadow'})):
        reply, told = world.ask(kind, prefix, **opts)
        assert not reply['success'] and text in reply['cr_errmsg'] and not told, reply
    assert not list(world.images.iterdir())
    assert process.poll() is None
    process.kill()
    process.wait()


def test_limits_of_the_client(world):
    """What is restored has the hard limits and the bounding set of the client, not those of the service."""
    process = world.start()
    reply, _ = world.ask('DUMP', ['sh', '-c', 'umask 077; exec "$0" "$@"'], pid=process.pid)
    assert reply['success'], reply
    assert {path.stat().st_mode & 0o777 for path in world.images.iterdir()} == {0o600}
    process.wait()
    world.edit(f'core-{process.pid}.img', limit(14, 99)[1])
    reply, _ = world.ask('RESTORE', ['prlimit', '--core=0:0', '--memlock=4096:4096'], log_file='restore.log')
    limits = Path(f'/proc/{process.pid}/limits').read_text()
    kill_session(process.pid)
    assert reply['success'], reply
    for name, soft, hard in (('core file size', 0, 0), ('locked memory', 4096, 4096), ('realtime priority', 0, 0)):
        assert re.search(rf'^Max {name} +{soft} +{hard} ', limits, re.MULTILINE), limits
    # Root starts the client with a smaller bounding set.
    words = ['setpriv', '--reuid', str(USER), '--regid', str(USER), '--clear-groups', '--bounding-set=-sys_admin', PYTHON,
             str(world.client), str(world.folder / 'socket'), 'RESTORE', json.dumps({'open': str(world.images)})]
    done = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True)
    try:
        assert json.loads(done.stdout)[0]['success'], done.stdout
        assert not int(status_of(process.pid)['CapBnd'], 16) >> 21 & 1
    finally:
        kill_session(process.pid)


@pytest.fixture
def cgroup():
    """A new cgroup2, and its path as tasks see it."""
    root = next((path for path in (Path('/sys/fs/cgroup'), Path('/sys/fs/cgroup/unified'))
                 if (path / 'cgroup.subtree_control').exists() and os.access(path, os.W_OK)), None)
    if not root:
        pytest.skip('there is no cgroup2')
    path = root / f'criu-test-{os.getpid()}'
    path.mkdir()
    yield path, f'0::/{path.name}'
    wait_for(lambda: reap() or not (path / 'cgroup.procs').read_text())
    path.rmdir()


def test_cgroup_of_the_client(world, cgroup):
    """What is restored is where its client is, with the limits of that place, not with the service."""
    process = world.start()
    assert world.ask('DUMP', pid=process.pid)[0]['success']
    process.wait()
    reap()
    script = 'echo $$ > $0; exec setpriv --reuid $1 --regid $1 --clear-groups "${@:2}"'
    words = ['bash', '-c', script, str(cgroup[0] / 'cgroup.procs'), str(USER), PYTHON, str(world.client), str(world.folder / 'socket'),
             'RESTORE', json.dumps({'open': str(world.images)})]
    done = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True)
    try:
        assert json.loads(done.stdout)[0]['success'], done.stdout
        assert cgroup[1] in Path(f'/proc/{process.pid}/cgroup').read_text().splitlines()
        assert f'0::/{cgroup[0].name}' not in Path(f'/proc/{service_pid(world)}/cgroup').read_text().splitlines()
    finally:
        kill_session(process.pid)


def test_client_that_has_gone(world):
    """A connection whose maker has ended belongs to nobody whose rights could be taken."""
    os.kill(service_pid(world), signal.SIGSTOP)
    try:
        with subprocess.Popen([PYTHON, world.programs / 'client-that-has-gone.py', world.folder / 'socket', world.images], stdout=subprocess.PIPE, text=True, **as_user()) as process:
            process.wait(60)
            os.kill(service_pid(world), signal.SIGCONT)
            said = process.stdout.read()
    finally:
        os.kill(service_pid(world), signal.SIGCONT)
    assert 'success' in said and "'success': False" in said and 'process' in said, said


def test_crowd_of_a_user(world):
    """One user cannot keep the others out."""
    with subprocess.Popen([PYTHON, world.programs / 'hundred-clients.py', world.folder / 'socket'], stdout=subprocess.PIPE, text=True, **as_user()) as process:
        assert int(process.stdout.readline()) == 36
        for uid in (OTHER, 0):
            assert world.ask('VERSION', uid=uid)[0]['success']
        process.kill()


def test_no_terminal_of_the_service(criu, folder, world):
    """A restored job does not get into the session, nor at the terminal, that the service was started from."""
    import pty      # pylint: disable=import-outside-toplevel
    process = world.start()
    assert world.ask('DUMP', pid=process.pid)[0]['success']
    process.wait()
    pid, master = pty.fork()
    if not pid:
        os.execv(criu, [str(criu), 'service', '-W', str(folder), '--address', 'second', '-o', 'second.log'])
    rpc.connect(folder / 'second').sock.close()
    words = [PYTHON, str(world.client), str(folder / 'second'), 'RESTORE',
             json.dumps({'open': str(world.images), 'shell_job': True, 'exec_cmd': ['sleep', '1000']})]
    reap()
    done = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True, **as_user())
    parent = None
    try:
        assert json.loads(done.stdout)[0]['success'], done.stdout
        parent = int(status_of(process.pid)['PPid'])
        wait_for(lambda: Path(f'/proc/{parent}/comm').read_text() == 'sleep\n')
        for one in (process.pid, parent):
            fields = Path(f'/proc/{one}/stat').read_text().rsplit(')', 1)[1].split()
            assert fields[4] == '0' and int(fields[3]) != pid, fields
            assert not [fd for fd in os.listdir(f'/proc/{one}/fd') if 'pts' in os.readlink(f'/proc/{one}/fd/{fd}')]
    finally:
        if parent:
            kill_session(parent)
        kill_session(process.pid)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(master)
