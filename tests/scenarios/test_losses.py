# SPDX-License-Identifier: GPL-2.0-only
"""What cannot come back as it was: it is told, and an option makes it an error."""
import json
import shutil
import subprocess
from pathlib import Path

import pytest

from room import PROGRAMS, wait_until


def lowered(run, images, *options):
    """A restore by a criu that may not raise limits and has lower ones than the program had."""
    return run.room.run('prlimit', '--nproc=1000:1000', '--sigpending=900:900', '--nofile=1048:1048', 'setpriv', '--bounding-set', '-sys_resource',
                        run.criu, 'restore', '-d', '-D', images, '-o', 'restore.log', *options)


def test_limits_that_cannot_be_reached(subject, room):
    """All hard limits fall to those of criu, the soft ones with them, and each is told; with --strict-rlimits nothing is restored."""
    run = subject('file/pipe')
    run.call_in_room('prlimit', '--pid', run.pid, '--nofile=1050:1060', '--nproc=1000:1001', '--sigpending=950:950')
    images = run.dump()
    run.await_gone()
    done = lowered(run, images, '--strict-rlimits')
    text = (images / 'restore.log').read_text()
    assert done.returncode == 1 and '--strict-rlimits' in text and 'the limit of processes was 1000, at most 1001' in text, text
    assert not room.pids()

    done = lowered(run, images)
    text = (images / 'restore.log').read_text()
    assert done.returncode == 0, text
    for words in ('the hard limit of processes falls from 1001 to ours, 1000', 'the hard limit of open files falls from 1060 to ours, 1048',
                  'the hard limit of pending signals falls from 950 to ours, 900'):
        assert words in text, text
    limits = (room.proc / str(run.pid) / 'limits').read_text().split('\n')
    assert [line.split()[-3:-1] for line in limits if line.startswith(('Max open files', 'Max processes', 'Max pending'))] == [
        ['1000', '1000'], ['1048', '1048'], ['900', '900']], limits
    run.release()


def test_what_is_lost_is_told(subject, criu):
    """By the preflight, in the log, by verify, and in the statistics."""
    text = 'the listener of a seccomp filter'
    run = subject('seccomp/listener')
    said = run.call_in_room(criu, 'check', '--tree', run.pid)
    assert 'Good to know' in said and text in said and 'Nothing is in the way' in said, said
    images = run.folder_of_images()
    said = run.call_in_room(criu, 'dump', '-D', images, '-o', 'dump.log', '-t', run.pid, '--display-stats')
    assert 'Things that were not saved:      1\n' in said, said
    assert f'task {run.pid} (seccomp.listene): is not saved: {text}' in (images / 'dump.log').read_text()
    said = run.call_in_room(criu, 'verify', images)
    assert f'was not saved: task {run.pid} (seccomp.listene): {text}' in said and 'A restore could begin' in said, said
    run.restore(images)
    run.release()


def test_temporary_addresses(subject, criu):
    """The kernel lets nobody set that mark: the dump and verify tell of it."""
    run = subject('net/sockets')
    inside = ('nsenter', '-n', '-t', run.pid)
    words = ('that address fd00:77:', 'is a temporary one')
    run.call_in_room(*inside, 'sh', '-c', 'ip link add vt type veth peer name vu; echo 2 >/proc/sys/net/ipv6/conf/vt/use_tempaddr; ip link set vu up; ip link set vt up; '
                     'ip addr add fd00:77::1/64 dev vt nodad mngtmpaddr valid_lft 5000 preferred_lft 4000')
    images = run.dump()
    run.await_gone()
    text = (images / 'dump.log').read_text()
    assert all(word in text for word in words), text
    said = run.call_in_room(criu, 'verify', images)
    assert all(word in said for word in words), said
    run.restore(images)
    run.release()


def test_queue_of_the_firewall(subject, criu):
    """A socket that gets packets by NFQUEUE will get none: the preflight, the dump and verify tell which queue it was."""
    text = 'its queue 77 (NFQUEUE) of the firewall'
    run = subject('socket/netlink-queue')
    assert text in run.call_in_room(criu, 'check', '--tree', run.pid)
    images = run.dump()
    assert text in run.call_in_room(criu, 'verify', images)
    run.restore(images)
    run.release()


def test_parent_death_signal_of_the_root(subject):
    """A criu that ends at once is no parent: the signal would come then. It is not set, and that is told; verify tells as well."""
    run = subject('task/parent-death-root')
    images = run.dump()
    run.await_gone()
    said = run.call_in_room(run.criu, 'verify', images)
    assert 'asked for signal 9 when its parent dies' in said and '--restore-sibling' in said, said
    run.restore(images)
    assert 'asked for signal 9 when its parent dies: not set' in (images / 'restore.log').read_text()
    run.release()


def test_confinement(subject, folder):
    """A program that a security module confines in another way than criu is refused, not restored without; files stand for the labels, as this
    kernel may have no such module."""
    run = subject('file/pipe')
    label = folder / 'label'
    label.write_text('docker-default (enforce)\n')
    place = f'/proc/{run.pid}/task/{run.pid}/attr/current'
    (folder / 'own').write_text('unconfined\n')
    command = f'mount --bind {label} {place} && mount --bind {folder}/own /proc/$$/task/$$/attr/current && exec {run.criu} %s'
    images = run.folder_of_images()
    done = run.room.run('/bin/sh', '-c', command % f'dump -D {images} -t {run.pid} -o dump.log')
    log = (images / 'dump.log').read_text()
    assert done.returncode == 1 and 'is confined by a security module as "docker-default (enforce)"' in log, log
    run.call_in_room('umount', place)
    done = run.room.run('/bin/sh', '-c', command % f'check --tree {run.pid}')
    assert done.returncode == 1 and 'docker-default (enforce)' in done.stdout, done.stdout
    run.call_in_room('umount', place)
    run.release()


def test_confinement_of_images(subject, build):
    """Images of a confined program are restored only in the same confinement."""
    run = subject('file/pipe')
    images = run.dump()
    run.await_gone()
    core = images / f'core-{run.pid}.img'
    text = run.call_in_room(build / 'crit', 'decode', '-i', core)
    record = json.loads(text)
    record['entries'][0]['thread_core']['creds']['lsm_profile'] = 'docker-default'
    (images / 'text').write_text(json.dumps(record))
    run.call_in_room(build / 'crit', 'encode', '-i', images / 'text', '-o', core)
    done = run.room.run(run.criu, 'restore', '-d', '-D', images, '-o', 'restore.log')
    log = (images / 'restore.log').read_text()
    assert done.returncode == 1 and 'was confined by a security module as "docker-default"' in log, log
    assert not run.room.pids()


def test_strangers_in_the_pid_namespace(subject):
    """A process that was put into a container from outside is in the pid namespace, but in no tree: it is told, by the preflight as well."""
    run = subject('file/pipe', house='pid')
    # criu has a process of its own in there while it looks.
    assert 'no descendant' not in run.call_in_room(run.criu, 'check', '--tree', run.pid)
    run.room.run('/bin/sh', '-c', f'nsenter --target {run.pid} --pid sleep 1000 < /dev/null > /dev/null 2>&1 &')
    text = 'in a pid namespace of the tree: it is no descendant'
    images = run.folder_of_images()
    wait_until(lambda: text in run.call_in_room(run.criu, 'check', '--tree', run.pid, '--joined', 'leave'), 20, 'it is not told')
    run.call_in_room(run.criu, 'dump', '-D', images, '-t', run.pid, '-o', 'dump.log', '--joined', 'leave')
    assert text in (images / 'dump.log').read_text()
    run.await_gone()
    run.restore(images)
    run.release()


@pytest.mark.parametrize('program, lost', [
    ('hidden-state.py', ['(SEM_UNDO)', 'its session keyring', 'its process keyring', 'its thread keyring', '(F_NOTIFY)', '(mq_notify)']),
    ('hidden-in-sockets.py', ['(TCP_SAVED_SYN)', '(SO_ERROR)', '(MSG_OOB)', '(SO_ATTACH_REUSEPORT_CBPF', '(IPV6_FLOWLABEL_MGR)',
                              '(PACKET_FANOUT_DATA)', '(IP_XFRM_POLICY)', '(MRT_INIT)'])])
def test_what_the_kernel_hides(room, criu, folder, program, lost):
    """Adjustments of semaphores, keys, notices of directories, errors of sockets cannot be read, or only taken: that they are there is told."""
    images, output = folder / 'images', folder / 'output'
    images.mkdir()
    pid = room.start(output, '/usr/bin/python3', PROGRAMS / program, cwd=str(folder))
    wait_until(lambda: output.exists() and 'ready' in output.read_text(), 20, lambda: f'the program does not get ready: {output.read_text()}')
    done = room.run(criu, 'dump', '-t', pid, '-D', images, '-v4', '-o', 'dump.log', '--tcp-established')
    log = (images / 'dump.log').read_text()
    assert done.returncode == 0, log
    for words in lost:
        lines = [line for line in log.split('\n') if 'is not saved' in line and words in line]
        assert len(lines) == (2 if 'REUSEPORT' in words else 1), (words, log)
    wait_until(lambda: pid not in room.pids(), 20)


PROFILES = '''
profile criu-test flags=(attach_disconnected) { file, capability, signal, ptrace peer=criu-test, deny FORBIDDEN rw, }
profile criu-test-other flags=(attach_disconnected) { file, capability, signal, }
'''


@pytest.fixture
def profiles(folder):
    """In a mount namespace of its own, as the file system of security modules may not be mounted."""
    enabled = Path('/sys/module/apparmor/parameters/enabled')
    if not enabled.exists() or enabled.read_text()[0] != 'Y' or not shutil.which('apparmor_parser') or not shutil.which('aa-exec'):
        pytest.skip('there is no AppArmor')
    (folder / 'profiles').write_text(PROFILES.replace('FORBIDDEN', str(folder / 'forbidden')))

    def load(how):
        command = f'mount -t securityfs none /sys/kernel/security; apparmor_parser {how} {folder}/profiles'
        subprocess.run(['unshare', '-m', '/bin/sh', '-c', command], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    load('-r')
    yield load
    load('-R')


def test_profiles_of_apparmor(room, criu, folder, profiles):
    """All threads get theirs again, last of all; --lsm-profile gives others or none; one that is not loaded is refused before anything is made."""
    images, output = folder / 'images', folder / 'output'
    images.mkdir()
    pid = room.start(output, 'aa-exec', '-p', 'criu-test', '/usr/bin/python3', PROGRAMS / 'two-users.py', cwd=str(folder))
    wait_until(lambda: output.exists() and 'ready' in output.read_text(), 60, 'the program does not get ready')
    done = room.run(criu, 'dump', '-t', pid, '-D', images, '-v4', '-o', 'dump.log')
    assert done.returncode == 0, (images / 'dump.log').read_text()
    wait_until(lambda: not room.pids(), 20)
    for options, wanted in (((), 'criu-test (enforce)'), (('--lsm-profile', 'apparmor:criu-test-other'), 'criu-test-other (enforce)'),
                            (('--lsm-profile', 'none:'), 'unconfined')):
        done = room.run(criu, 'restore', '-d', '-D', images, '-o', 'restore.log', '-v4', *options)
        assert done.returncode == 0, (images / 'restore.log').read_text()
        labels = [path.read_text().strip() for one in room.pids() for path in (room.proc / str(one) / 'task').glob('*/attr/current')]
        assert labels == [wanted] * 3, labels
        room.kill(room.pids())
        wait_until(lambda: not room.pids(), 20)
    profiles('-R')
    done = room.run(criu, 'restore', '-d', '-D', images, '-o', 'restore.log', '-v4')
    profiles('-r')
    log = (images / 'restore.log').read_text()
    assert done.returncode == 1 and 'criu-test' in log and not room.pids(), log


def test_option_that_nobody_tells(room, criu, folder):
    """The budget of a socket that polls busily is read from the kernel's memory; where that cannot be, its loss is told."""
    pid = room.start(folder / 'output', '/usr/bin/python3', PROGRAMS / 'busy-poll.py', folder / 'ready')
    wait_until((folder / 'ready').exists, 20, lambda: (folder / 'output').read_text())

    def dump(name):
        images = folder / name
        images.mkdir()
        done = room.run(criu, 'dump', '-t', pid, '-D', images, '--leave-running', '-o', 'dump.log')
        assert done.returncode == 0, done.stdout
        return 'SO_BUSY_POLL_BUDGET' in (images / 'dump.log').read_text()
    if Path('/sys/kernel/btf/vmlinux').exists():
        assert not dump('told')
        assert room.run('mount', '-t', 'tmpfs', 'none', '/sys/kernel/btf').returncode == 0
    assert dump('lost')
    room.kill([pid])
