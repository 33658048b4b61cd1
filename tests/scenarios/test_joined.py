# SPDX-License-Identifier: GPL-2.0-only
"""Processes that came into the pid namespace of the tree from outside, as those of an engine's exec do."""
import json
import os
import pty
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from room import wait_until
from runc import Console, Containers

# A daemon with a child and an orphan of its own session, which the first process has got; it counts, and notes a signal.
DAEMON = ('trap "echo hup >> /exec.told" HUP; (sleep 7770 &); sleep 8880 & '
          'i=0; while :; do i=$((i+1)); echo $i > /exec.new; mv /exec.new /exec; sleep 0.1; done')


@pytest.fixture
def containers(criu, folder):
    """A Containers."""
    if not shutil.which('runc') or not shutil.which('busybox'):
        pytest.skip('there is no runc, or no busybox')
    made = Containers(folder, criu, 'private')
    yield made
    made.close()


def family(first):
    """Of all in the pid namespace of that process: parent, group and session as they see them, command lines, whether they live as it does."""
    space, found, names = os.readlink(f'/proc/{first}/ns/pid'), {}, ('mnt', 'net', 'ipc', 'uts', 'cgroup', 'user')
    for path in Path('/proc').glob('[0-9]*'):
        try:
            if os.readlink(path / 'ns/pid') != space:
                continue
            status = (path / 'status').read_text()
            parent = int(re.search(r'^PPid:\t(\d+)', status, re.M)[1])
            words = (path / 'cmdline').read_bytes().split(b'\0')[:-1]
            same = [os.readlink(path / 'ns' / name) for name in names] == [os.readlink(f'/proc/{first}/ns/{name}') for name in names]
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
        own = [int(re.search(rf'^{name}:.*\t(\d+)$', status, re.M)[1]) for name in ('NSpid', 'NSpgid', 'NSsid')]
        found[int(path.name)] = (parent, *own, words, same)
    return {own: (found[parent][1] if parent in found else 0, group, session, words, same)
            for parent, own, group, session, words, same in found.values() if words[1:] != [b'0.1']}


def counted(containers):
    """How far the daemon has counted."""
    path = containers.bundle / 'rootfs/exec'
    return int(path.read_text() or 0) if path.exists() else 0


def use_users(containers):
    """Users of its own."""
    ranges = [{'containerID': 0, 'hostID': 200000, 'size': 65536}]

    def change(config):
        config['linux']['namespaces'].append({'type': 'user'})
        config['linux'].update(uidMappings=ranges, gidMappings=ranges)
    containers.configure(change)
    for path in (containers.bundle / 'rootfs', *(containers.bundle / 'rootfs').rglob('*')):
        os.lchown(path, 200000, 200000)
    for path in (containers.folder, containers.bundle):
        path.chmod(0o755)


def start_daemon(containers, name, script=DAEMON):
    """By runc exec."""
    containers.call('exec', '-d', name, '/bin/sh', '-c', script)
    wait_until(lambda: counted(containers) > 2, 60, 'the daemon does not start')


@pytest.mark.parametrize('users', (False, True))
def test_daemon(containers, users):
    """runc exec -d: it goes on with its pid, its child, its orphan and its session, twice; all of it ends with the container."""
    if users:
        use_users(containers)
    name = containers.name()
    containers.run(name)
    start_daemon(containers, name)
    before = family(containers.state(name)['pid'])
    daemon = max(pid for pid in before if before[pid][0] == 0)
    assert sorted((parent, words[0]) for parent, _, _, words, same in before.values() if same) == [
        (0, b'/bin/sh'), (0, b'/bin/sh'), (1, b'sleep'), (daemon, b'sleep')], before
    for number in (1, 2):
        images = containers.checkpoint(name, number)
        assert containers.is_gone(name)
        main, its = containers.count(), counted(containers)
        containers.restore(name, images)
        containers.check_alive(name, main)
        wait_until(lambda low=its: counted(containers) > low + 2, 60, 'the daemon does not go on')
        assert counted(containers) < its + 100000
        assert family(containers.state(name)['pid']) == before
        assert 'a further root' in (images / 'dump.log').read_text()
    containers.call('kill', name, 'KILL')
    wait_until(lambda: '"stopped"' in containers.call('state', name), 60, 'the container does not end')


def test_session_outside(containers):
    """As crun's exec makes it, in a session that nobody in there can see: it, and an orphan of it, lead sessions of their own afterwards; twice."""
    name = containers.name()
    containers.run(name)
    first = containers.state(name)['pid']
    script = 'exec < /dev/null > /dev/null 2>&1; ' + DAEMON
    outside = subprocess.Popen(['setsid', 'nsenter', '-t', str(first), '-a', '/bin/sh', '-c', script], stdin=subprocess.DEVNULL)
    wait_until(lambda: counted(containers) > 2, 60, 'the daemon does not start')
    before = family(first)
    daemon = max(pid for pid in before if before[pid][0] == 0)
    orphan, child = (next(pid for pid, words in before.items() if words[3][1:] == [number]) for number in (b'7770', b'8880'))
    assert before[daemon][1:3] == before[orphan][1:3] == before[child][1:3] == (0, 0)
    for number in (1, 2):
        images = containers.checkpoint(name, number)
        main, its = containers.count(), counted(containers)
        containers.restore(name, images)
        containers.check_alive(name, main)
        wait_until(lambda low=its: counted(containers) > low + 2, 60, 'the daemon does not go on')
        after = family(containers.state(name)['pid'])
        assert after.keys() == before.keys()
        assert after[daemon][1:3] == after[child][1:3] == (daemon, daemon) and after[orphan][1:3] == (orphan, orphan), after
        assert ('its session, which is led from outside' in (images / 'dump.log').read_text()) == (number == 1)
    outside.wait(60)


def test_devices_of_outside(containers):
    """Who comes in by nsenter brings the host's /dev/null and /dev/zero along: nodes of the container stand in for them, which is told; twice."""
    name = containers.name()
    containers.run(name)
    first = containers.state(name)['pid']
    with open('/dev/zero', 'rb') as zero:
        outside = subprocess.Popen(['setsid', 'nsenter', '-t', str(first), '-a', '/bin/sh', '-c', DAEMON], stdin=zero,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_until(lambda: counted(containers) > 2, 60, 'the daemon does not start')

    def devices():
        pid = containers.state(name)['pid']
        root = os.stat(f'/proc/{pid}/root/dev/null').st_dev
        space = os.readlink(f'/proc/{pid}/ns/pid')
        daemon = next(path for path in Path('/proc').glob('[0-9]*') if command_line(path).startswith(b'/bin/sh\0-c\0trap')
                      and os.readlink(path / 'ns/pid') == space)
        found = [os.stat(daemon / f'fd/{number}') for number in range(3)]
        return [st.st_rdev for st in found], {st.st_dev == root for st in found}

    before = devices()
    assert before == ([os.makedev(1, 5), os.makedev(1, 3), os.makedev(1, 3)], {False})
    for number in (1, 2):
        images = containers.checkpoint(name, number)
        its = counted(containers)
        containers.restore(name, images)
        wait_until(lambda low=its: counted(containers) > low + 2, 60, 'the daemon does not go on')
        assert devices() == (before[0], {True})
        said = (images / 'dump.log').read_text()
        assert ('device 1:3 by a node outside' in said) == ('device 1:5 by a node outside' in said) == (number == 1), said
    outside.wait(60)


def test_node_that_is_nowhere(containers):
    """Without one in the container it is refused by name, and all runs on."""
    name = containers.name()
    containers.run(name)
    first = containers.state(name)['pid']
    with open('/dev/full', 'wb') as full:
        outside = subprocess.Popen(['setsid', 'nsenter', '-t', str(first), '-a', '/bin/sh', '-c', 'rm /dev/full; ' + DAEMON], stdin=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL, stderr=full)
    wait_until(lambda: counted(containers) > 2, 60, 'the daemon does not start')
    images = containers.folder / 'images1'
    images.mkdir()
    assert containers.call('checkpoint', '--image-path', images, '--work-path', images, name, check=False)[0]
    assert 'mknod /dev/full c 1 7' in (images / 'dump.log').read_text()
    low = counted(containers)
    wait_until(lambda: counted(containers) > low + 2, 60, 'the daemon does not go on')
    containers.call('kill', name, 'KILL')
    outside.wait(60)


def test_job_of_a_terminal(containers):
    """What somebody outside runs in there from a terminal is his: it is left, and told."""
    name = containers.name()
    containers.run(name)
    first = containers.state(name)['pid']
    pid, master = pty.fork()
    if not pid:
        os.execvp('nsenter', ['nsenter', '-t', str(first), '-a', '/bin/sh', '-c', DAEMON.replace('(sleep 7770 &); ', '')])
    wait_until(lambda: counted(containers) > 2, 60, 'the job does not start')
    images = containers.checkpoint(name, 1)
    os.waitpid(pid, 0)
    os.close(master)
    assert 'it belongs to a session and a terminal outside, and ends with it' in (images / 'dump.log').read_text()
    main, its = containers.count(), counted(containers)
    containers.restore(name, images)
    containers.check_alive(name, main)
    assert counted(containers) == its


def test_left_running(containers):
    """It runs on with the container, and is saved with it after that."""
    name = containers.name()
    containers.run(name)
    start_daemon(containers, name)
    containers.checkpoint(name, 1, '--leave-running')
    its = counted(containers)
    wait_until(lambda: counted(containers) > its + 2, 60, 'the daemon does not go on')
    images = containers.checkpoint(name, 2)
    its = counted(containers)
    containers.restore(name, images)
    wait_until(lambda: counted(containers) > its + 2, 60, 'the daemon does not go on')


def test_terminal(containers, folder):
    """The terminal of `exec -t` is hung up, as if its engine had ended; that of the container goes to its client."""
    def change(config):
        config['process'].update(terminal=True, args=['/bin/sh', '-c', 'echo > /dev/shm/kept; echo 9 > /count; '
                                                      'while read word; do echo "got $word" > /dev/console; done'])
    for name in ('main', 'exec'):
        (folder / name).mkdir()
    consoles = [Console(folder / name) for name in ('main', 'exec')]
    name = containers.name()
    containers.configure(change)
    containers.run(name, '--console-socket', consoles[0].path)
    consoles[0].take()
    containers.call('exec', '-d', '-t', '--console-socket', consoles[1].path, name, '/bin/sh', '-c', DAEMON)
    consoles[1].take()
    wait_until(lambda: counted(containers) > 2, 60, 'the daemon does not start')
    for number in (1, 2):
        images = containers.checkpoint(name, number)
        its = counted(containers)
        containers.restore(name, images, '--console-socket', consoles[0].path)
        consoles[0].take()
        os.write(consoles[0].master, b'hello\n')
        consoles[0].await_text(b'got hello')
        wait_until(lambda low=its: counted(containers) > low + 2, 60, 'the daemon does not go on')
        told = containers.bundle / 'rootfs/exec.told'
        wait_until(told.exists, 60, 'the daemon was not hung up')
        assert told.read_text() == 'hup\n'      # once: the second checkpoint finds it hung up
        assert ('the terminal will be hung up' in (images / 'dump.log').read_text()) == (number == 1)
    for console in consoles:
        console.close()


def test_output(containers):
    """A daemon that writes to the standard output of exec outlives it: what it writes is thrown away."""
    name = containers.name()
    containers.run(name)
    reader, writer = os.pipe()
    command = [*containers.enter, 'sh', '-c', 'exec "$@" < /dev/null', 'sh', 'runc', '--root', containers.folder / 'state', 'exec', '-d', name, '/bin/sh', '-c', DAEMON.replace('i=0;', 'i=0; trap "" INT;')
               .replace('sleep 0.1', 'echo said; sleep 0.1')]
    subprocess.run(command, stdout=writer, stderr=writer, check=True, timeout=60)
    os.close(writer)
    assert os.read(reader, 5) == b'said\n'
    wait_until(lambda: counted(containers) > 2, 60, 'the daemon does not start')
    for number in (1, 2):
        images = containers.checkpoint(name, number)
        its = counted(containers)
        containers.restore(name, images)
        wait_until(lambda low=its: counted(containers) > low + 5, 60, 'the daemon does not go on')
        assert ('is thrown away' in (images / 'dump.log').read_text()) == (number == 1)
    os.close(reader)


def test_modes(containers):
    """--joined refuse: it is in the way, by name, and nobody is harmed; --joined leave: it ends with the container, and that is told."""
    name = containers.name()
    containers.run(name)
    start_daemon(containers, name)
    config = containers.folder / 'config'
    criu = containers.folder / 'bin/criu'
    real = criu.readlink()
    criu.unlink()
    criu.write_text(f'#!/bin/sh\nexec {real} --config {config} "$@"\n')     # the engine has no word for it
    criu.chmod(0o755)
    config.write_text('joined refuse\n')
    images = containers.folder / 'images1'
    images.mkdir()
    code, said = containers.call('checkpoint', '--image-path', images, '--work-path', images, name, check=False)
    its, main = counted(containers), containers.count()
    assert code and 'came into a pid namespace of the tree from outside' in said + (images / 'dump.log').read_text(), said
    wait_until(lambda: counted(containers) > its + 2 and containers.count() > main + 2, 60, 'they do not go on')
    config.write_text('joined leave\n')
    images = containers.checkpoint(name, 2)
    assert 'was it put there by exec?' in (images / 'dump.log').read_text()
    its, main = counted(containers), containers.count()
    containers.restore(name, images)
    containers.check_alive(name, main)
    assert counted(containers) == its


@pytest.mark.parametrize('point', ('restore/fork', 'restore/furnish/file', 'restore/home/task'))
def test_failed_restore(containers, criu, point):
    """It leaves nothing of them, and the images are as good as before."""
    name = containers.name()
    containers.run(name)
    start_daemon(containers, name)
    images = containers.checkpoint(name, 1)
    criu = containers.folder / 'bin/criu'
    real = criu.readlink()
    criu.unlink()
    criu.write_text(f'#!/bin/sh\nCRIU_FAIL_AT={point} exec {real} "$@"\n')
    criu.chmod(0o755)
    code, said = containers.call('restore', '-d', '--bundle', containers.bundle, '--image-path', images, '--work-path', images, name, check=False)
    assert code and point in (images / 'restore.log').read_text(), said
    wait_until(lambda: not any(b'/exec.new' in command_line(path) for path in Path('/proc').glob('[0-9]*')), 60, 'something is left')
    criu.unlink()
    criu.symlink_to(real)
    containers.call('delete', '-f', name, check=False)
    main, its = containers.count(), counted(containers)
    containers.restore(name, images)
    containers.check_alive(name, main)
    wait_until(lambda: counted(containers) > its + 2, 60, 'the daemon does not go on')


def test_images(containers, build):
    """criu verify and crit know further roots; without their mark, or with one at the wrong place, the images are refused as damaged."""
    name = containers.name()
    containers.run(name)
    start_daemon(containers, name)
    images = containers.checkpoint(name, 1)

    def call(*words):
        done = subprocess.run(list(map(str, words)), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=60)
        return done.returncode, done.stdout
    code, said = call(build / 'criu', 'verify', images)
    assert code == 0 and len(re.findall(r'^ +\d+ +(?=.*\bsh\b)', said, re.M)) >= 2, said
    code, text = call(build / 'crit', 'decode', '-i', images / 'pstree.img')
    record = json.loads(text)
    assert [entry.get('joined', False) for entry in record['entries'] if not entry['ppid']] == [False, True]
    tree = call(build / 'crit', 'x', images, 'ps')[1]
    assert all(re.search(rf'^ *{entry["pid"]}\b', tree, re.M) for entry in record['entries']), tree
    for entry, joined, why in ((1, False, 'there are two roots'), (0, True, 'cannot be a further root'), (None, True, 'cannot be a further root')):
        other = json.loads(text)
        roots = [one for one in other['entries'] if not one['ppid']]
        chosen = roots[entry] if entry is not None else next(one for one in other['entries'] if one['ppid'])
        chosen['joined'] = joined
        (images / 'text').write_text(json.dumps(other))
        assert call(build / 'crit', 'encode', '-i', images / 'text', '-o', images / 'pstree.img')[0] == 0
        code, said = call(build / 'criu', 'verify', images)
        assert code and why in said, said


def command_line(path):
    """Of a process; nothing if it is gone."""
    try:
        return (path / 'cmdline').read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b''


@pytest.mark.parametrize('options', ((), ('--stream=-',)))
def test_inner_space(room, criu, folder, options):
    """Into a pid namespace within the tree, which itself lives in that of criu; also by a stream."""
    root = room.start(folder / 'output', 'unshare', '--pid', '--fork', '--mount-proc', 'sleep', '1111')
    proc = Path(f'/proc/{room.first}/root/proc')
    wait_until(lambda: len(room.pids()) == 2 and all((proc / str(pid) / 'comm').read_text() in ('sleep\n', 'unshare\n') for pid in room.pids()), 20)
    first, = set(room.pids()) - {root}
    wait_until(lambda: (proc / str(first) / 'comm').read_text() == 'sleep\n', 20)
    other = room.start(folder / 'output', 'nsenter', '--target', str(first), '--pid', '--mount', 'setsid', '--wait', 'sleep', '2222')
    wait_until(lambda: any(b'2222' in command_line(proc / str(pid)) and b'nsenter' not in command_line(proc / str(pid)) and pid != other
                           and (proc / str(pid) / 'comm').read_text() == 'sleep\n' for pid in room.pids()), 20, 'it does not start')

    def seen():
        return {pid: re.search(r'^NSpid:\t(.*)', (proc / str(pid) / 'status').read_text(), re.M)[1] for pid in room.pids()
                if b'sleep' in command_line(proc / str(pid)) and (proc / str(pid) / 'comm').read_text() == 'sleep\n'}
    before = seen()
    assert len(before) == 2
    for number in (1, 2):
        images = folder / f'images{number}'
        images.mkdir()
        done = room.run('/bin/sh', '-c', f'exec "$@" {"> " + str(images / "stream") if options else ""}', 'sh', criu, 'dump', '-D', images, '-v4', '-o',
                        'dump.log', '-t', root, *options)
        assert done.returncode == 0, done.stdout + (images / 'dump.log').read_text()
        wait_until(lambda: not seen(), 20, 'they do not end')
        done = room.run('/bin/sh', '-c', f'exec "$@" {"< " + str(images / "stream") if options else ""}', 'sh', criu, 'restore', '-d', '-D', images, '-v4',
                        '-o', 'restore.log', *options)
        assert done.returncode == 0, done.stdout + (images / 'restore.log').read_text()
        assert seen() == before
