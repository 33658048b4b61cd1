# SPDX-License-Identifier: GPL-2.0-only
"""A dump that fails leaves every task as it was, a restore that fails leaves nothing - wherever they fail."""
import os
import random
import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest

import checks
from room import PROGRAMS, wait_until
from subject import options_to_pass

SUBJECTS = ('tree/family', 'thread/several', 'file/pipe', 'file/deleted-odd', 'file/pty-session', 'file/epoll-moved',
             'memory/shared-anonymous', 'tree/zombie', 'signal/pending',
            'socket/unix-names', 'socket/tcp-established', 'file/aio', 'file/io-uring-waiting', 'file/io-uring-registered', 'file/userfaultfd', 'file/tun',
            'file/pidfd-odd')


def passed_points(folder, call):
    """The names of the failure points that a run passed."""
    names = folder / 'points'
    names.unlink(missing_ok=True)
    call({'CRIU_FAIL_LIST': str(names)})
    points = list(dict.fromkeys(names.read_text().split())) if names.exists() else []
    assert points, 'no failure point was passed'
    return points


@pytest.mark.parametrize('name', SUBJECTS)
def test_every_point_of_dump(subject, folder, name):
    """Each failure point in turn; one and the same tree must survive them all."""
    run = subject(name)

    def dump_well(env):
        status, said = run.call_criu('dump', run.folder_of_images(), '-t', run.pid, '-R', env=env)
        assert status == 0, said

    for point in passed_points(folder, dump_well):
        images = run.folder_of_images()
        status, said = run.call_criu('dump', images, '-t', run.pid, *options_to_pass(point), env={'CRIU_FAIL_AT': point})
        assert status != 0, f'{point} was made to fail, but the dump went well'
        assert point in said, f'the failure does not name {point}: {said}'
        run.compare(f'after a dump that failed at {point}')
        assert not (images / 'inventory.img').exists(), f'a dump that failed at {point} has left an inventory'
    dump_well({})
    run.release()


@pytest.mark.parametrize('name', SUBJECTS)
def test_every_point_of_restore(subject, folder, room, name):
    """Each failure point in turn; nothing may be left, and the images are as good as before."""
    run = subject(name)
    images = run.dump()
    run.await_gone()

    def restore_well(env):
        status, said = run.call_criu('restore', images, '-d', env=env)
        assert status == 0, said

    points = passed_points(folder, restore_well)
    run.kill()
    for point in points:
        status, said = run.call_criu('restore', images, '-d', env={'CRIU_FAIL_AT': point})
        assert status != 0, f'{point} was made to fail, but the restore went well'
        assert point in said, f'the failure does not name {point}: {said}'
        wait_until(lambda: not room.pids(), 2, lambda: f'left over after a failure at {point}: {room.pids()}')
        assert checks.listing(run.work) == run.files, f'files are left over after a failure at {point}'
        assert not room.changed_mounts(run.mounts)
    restore_well({})
    run.compare('after the restore')
    run.release()


def read_phases():
    """Names of the phases that may fail: the rows of src/engine/phases.def."""
    rows = re.findall(r'^PHASE\((\w+), (\w+), \w+, MAY_FAIL', (Path(__file__).parents[2] / 'src/engine/phases.def').read_text(), re.M)
    assert len(rows) > 40
    return {'/'.join(row) for row in rows}


@pytest.fixture(name='other_points')
def make_other_points(subject, folder):
    """Those of dumps that have to save something for files, and that are told of threads by the kernel alone; into a stream."""
    points = []
    for name in 'file/deleted-odd', 'thread/settings-among-many':
        run = subject(name)

        def dump_well(env):
            status, said = run.call_criu('dump', run.folder_of_images(), '-t', run.pid, '-R', env=env,     # pylint: disable=cell-var-from-loop
                                         stream=folder / 'stream')
            assert status == 0, said

        points += passed_points(folder, dump_well)
        run.release()
        for used in (run.work, run.control, *run.folder.glob('images*')):    # room for another subject
            shutil.rmtree(used)
    return points


def test_every_phase_is_passed(other_points, subject, folder):
    """The failure points that runs pass are the rows of the table: all of them, and no others."""
    run = subject('socket/unix-early')
    names = folder / 'points'
    names.write_text('\n'.join(other_points) + '\n')
    env = {'CRIU_FAIL_LIST': str(names)}
    first = run.folder_of_images()
    assert run.call_criu('pre-dump', first, '-t', run.pid, env=env)[0] == 0
    run.room.run(run.criu, 'check', '--tree', str(run.pid), env={**os.environ, **env})
    images = run.folder_of_images()
    status, said = run.call_criu('dump', images, '-t', run.pid, env=env)
    assert status == 0, said
    run.await_gone()
    for command in 'verify', 'inspect':
        done = run.room.run(run.criu, command, '-D', images, env={**os.environ, **env})
        assert done.returncode == 0, done.stdout
    status, said = run.call_criu('restore', images, '-d', '--copies', '2', env=env)
    assert status != 0 and 'only one copy could be bound' in said, said
    status, said = run.call_criu('restore', images, '-d', env=env)
    assert status == 0, said
    passed = {'/'.join(name.split('/')[:2]) for name in names.read_text().split()}
    assert passed == read_phases(), f'not passed: {read_phases() - passed}; not in the table: {passed - read_phases()}'
    run.release()


def test_older_images(subject):
    """What an older dump has left in the directory is not taken for part of the new one."""
    run = subject('thread/several')
    images = run.folder_of_images()
    for name in ('inventory', 'sk-queues', 'pipes-data', 'fifo-data', 'tty-info', 'tty-data', 'filelocks', 'remap-fpath', 'seccomp', 'bpfmap-data'):
        (images / f'{name}.img').write_bytes(b'older')
    status, said = run.call_criu('dump', images, '-t', run.pid)
    assert status == 0, said
    assert not [image.name for image in images.iterdir() if image.read_bytes() == b'older']
    run.await_gone()
    run.restore(images)
    run.release()


@pytest.mark.parametrize('name', ['tree/family', 'socket/unix-rights'])
def test_every_point_of_stream(subject, folder, name):
    """A dump into a stream that fails anywhere leaves the tasks as they were, and a stream that nobody takes for a checkpoint."""
    run = subject(name)
    stream = folder / 'stream'

    def dump_well(env):
        status, said = run.call_criu('dump', run.folder_of_images(), '-t', run.pid, '-R', env=env, stream=stream)
        assert status == 0, said

    points = passed_points(folder, dump_well)
    assert 'dump/send' in points
    for point in points[-10:]:      # what comes before is as in any dump
        status, said = run.call_criu('dump', run.folder_of_images(), '-t', run.pid, *options_to_pass(point), env={'CRIU_FAIL_AT': point}, stream=stream)
        assert status != 0 and point in said, said
        run.compare(f'after a dump that failed at {point}')
        images = run.folder_of_images()
        assert run.call_criu('receive', images, stream=stream)[0] != 0, f'a dump that failed at {point} has left a checkpoint'
        assert not (images / 'inventory.img').exists()
    dump_well({})
    run.release()


def states(room):
    """One letter for each process of the room."""
    return {re.search(r'^State:\s+(.)', (room.proc / str(pid) / 'status').read_text(), re.M)[1] for pid in room.pids()}


@pytest.mark.parametrize('point', ['dump/write/file', 'dump/inventory', 'dump/lock/net'])
def test_failure_around_taking(subject, room, point):
    """What was taken from a backlog cannot be put back: the tasks are left stopped, there is no checkpoint, and the log says how to go on."""
    run = subject('socket/unix-early')
    images = run.folder_of_images()
    status, said = run.call_criu('dump', images, '-t', run.pid, env={'CRIU_FAIL_AT': point})
    taken = point == 'dump/lock/net'     # the images have been looked at by then
    assert status != 0 and point in said, said
    assert not (images / 'inventory.img').exists()
    assert ('T' in states(room)) == taken, states(room)
    assert ('kill -CONT' in said) == taken, said
    if taken:
        room.kill(room.pids())
    else:
        run.restore(run.dump())
        run.release()


@pytest.mark.parametrize('point', ['dump/take/socket', 'dump/inventory', 'dump/lock/net'])
def test_taken_and_put_back(subject, room, point):
    """TCP connections that were taken from a backlog are put back when the dump fails after that: the program goes on with them."""
    run = subject('socket/tcp-backlog')
    images = run.folder_of_images()
    status, said = run.call_criu('dump', images, '-t', run.pid, '--tcp-established', env={'CRIU_FAIL_AT': point})
    assert status != 0 and point in said, said
    assert ('wait for accept(2) on port' in said) == (point == 'dump/lock/net'), said
    assert not (images / 'inventory.img').exists() and 'T' not in states(room), said
    run.restore(run.dump('--tcp-established'), '--tcp-established')
    run.release()


def test_left_stopped_with_backlog(subject, room):
    """After --leave-stopped connections wait in their sockets again: they are there if the tasks run on, and after a restore."""
    run = subject('socket/tcp-backlog')
    images = run.dump('--tcp-established', '--leave-stopped')
    done = room.run(run.criu, 'undo', '-t', run.pid, '-D', images)
    assert done.returncode == 0 and 'T' not in states(room), done.stdout
    images = run.dump('--tcp-established', '--leave-stopped')
    room.kill(room.pids())
    run.await_gone()
    run.restore(images, '--tcp-established')
    run.release()


def is_quiet(pid_folder):
    """No thread of it is stopped or traced."""
    try:
        for tid in os.listdir(pid_folder / 'task'):
            text = (pid_folder / 'task' / tid / 'status').read_text()
            if re.search(r'^State:\s+[Tt]', text, re.M) or not re.search(r'^TracerPid:\s+0$', text, re.M):
                return False
    except FileNotFoundError:
        return False
    return True


def kill_while_dumping(run, delay):
    """Starts a dump and kills criu after so many seconds. Returns whether it was still at work."""
    images = run.folder_of_images()
    words = [run.room.program, 'run', run.room.first, run.criu, 'dump', '-t', str(run.pid), '-R', '-D', str(images), '-o', 'dump.log']
    with subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        time.sleep(delay)
        was_busy = process.poll() is None
        process.kill()      # criu dies with it: it asked for SIGKILL when its parent ends
    shutil.rmtree(images)
    return was_busy


def memory_of_criu(pid_folder):
    """Mappings that can only be criu's: no subject has shared memory that is writable and executable."""
    return re.findall(r'^\S+ rwxs .*', (pid_folder / 'maps').read_text(), re.M)


def test_killed_while_dumping(subject, room):
    """kill -9 of criu at many random moments: the program computes on, rightly, and can still be checkpointed."""
    run = subject('thread/computing')
    start = time.monotonic()
    run.dump('-R')
    length = time.monotonic() - start
    seed = int(time.time())
    print(f'seed {seed}, a dump takes {length:.3f} s')
    chance = random.Random(seed)
    busy = number = 0
    wanted = int(os.environ.get('KILL_ROUNDS', '8'))
    while busy < wanted:
        was_busy = kill_while_dumping(run, chance.uniform(0, length))
        length *= 1.1 if was_busy else 0.9      # as long as a dump takes now
        busy, number = busy + was_busy, number + 1
        assert number < 30 * wanted, f'only {busy} of {number} dumps were killed in the middle'
        wait_until(lambda: room.pids() == [run.pid], 5, lambda: f'processes after kill {number}: {room.pids()}: {run.told()}')
        wait_until(lambda: is_quiet(room.proc / str(run.pid)), 5, f'a thread does not come home after kill {number}')
        assert not (run.control / 'result').exists(), f'it computes wrongly after kill {number}: {run.told()}'
    # At once after a kill, when threads may still be on their way home, a dump must see the program and not them.
    for _ in range(4):
        kill_while_dumping(run, chance.uniform(0, length))
        run.dump('-R')
        left = memory_of_criu(room.proc / str(run.pid))
        assert not left, f'memory of a killed criu is left: {left}'
        assert not (run.control / 'result').exists(), f'it computes wrongly: {run.told()}'
    images = run.dump()
    run.await_gone()
    run.restore(images)
    run.release()


def test_pid_is_taken(subject, room):
    """A restore whose pid belongs to somebody says so, and harms nobody."""
    run = subject('tree/family')
    images = run.dump()
    run.await_gone()
    wanted = sorted(map(int, run.before))[1]
    other = room.start('/dev/null', '/bin/sh', '-c',
                       f'while echo {wanted - 1} > /proc/sys/kernel/ns_last_pid; do sleep 1000 & '
                       f'[ $! = {wanted} ] && wait; kill $!; done')
    wait_until(lambda: wanted in room.pids(), 5, 'nobody takes the pid')
    room.run('/bin/sh', '-c', 'echo 1000 > /proc/sys/kernel/ns_last_pid')       # criu itself takes none of them
    before = room.pids()
    status, said = run.call_criu('restore', images, '-d')
    assert status != 0
    assert re.search(rf'\b{wanted}\b.*(exists|taken|in use)', said, re.I), said
    wait_until(lambda: room.pids() == before, 2, lambda: f'{before} -> {room.pids()}')
    room.kill([other])
    room.kill(room.pids())
    run.await_gone()
    # criu itself is in the room, too, and must not get the number.
    room.run('/bin/sh', '-c', 'echo 1000 > /proc/sys/kernel/ns_last_pid')
    run.restore(images)
    run.compare('after the restore')
    run.release()


def test_tid_of_the_dead(subject, room, folder):
    """The number of a thread still belongs to a process that has ended: the restore waits for it."""
    run = subject('thread/several')
    wanted = max(map(int, run.before[str(run.pid)]['threads']))
    images = run.dump()
    run.await_gone()
    room.run('/bin/sh', '-c', 'echo 1000 > /proc/sys/kernel/ns_last_pid')
    taker = room.start(folder / 'taker', '/usr/bin/python3', PROGRAMS / 'take-pid.py', wanted, folder / 'taken')
    wait_until((folder / 'taken').exists, 5, lambda: (folder / 'taker').read_text())
    run.restore(images)
    wait_until(lambda: taker not in room.pids(), 5, 'it does not end')
    run.compare('after the restore')
    run.release()


def test_damaged_images(subject, room):
    """Every image cut off in the middle: refused, and nothing is left."""
    run = subject('tree/family')
    images = run.dump()
    run.await_gone()
    for image in sorted(images.glob('*.img')):
        whole = image.read_bytes()
        if len(whole) < 10:
            continue
        image.write_bytes(whole[:len(whole) - len(whole) // 3 - 1])
        status, said = run.call_criu('restore', images, '-d')
        assert status != 0, f'{image.name} is cut off, but the restore went well'
        assert image.name in said, f'the failure does not name {image.name}: {said}'
        wait_until(lambda: not room.pids(), 2, lambda: f'left over with a damaged {image.name}: {room.pids()}')
        image.write_bytes(whole)
    run.restore(images)
    run.compare('after the restore')
    run.release()
