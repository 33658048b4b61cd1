# SPDX-License-Identifier: GPL-2.0-only
"""Trees with a pid namespace of their own, while criu is outside: what a subject cannot say."""
import re
import subprocess
import time

import pytest

import checks
from room import wait_until


def restore_as(run, images, last_pid):
    """Restores with a criu whose number is one of the next after this one; returns that number."""
    words = [run.criu, 'restore', '-D', images, '-v4', '-o', 'restore.log', '-d', '--pidfile', images / 'pidfile']
    done = run.room.run('/bin/sh', '-c', f'echo {last_pid} > /proc/sys/kernel/ns_last_pid; {" ".join(map(str, words))}; exit $?')
    log = (images / 'restore.log').read_text()
    assert done.returncode == 0, done.stdout + log
    run.pid = int((images / 'pidfile').read_text())
    return int(re.search(r'Made, as a child of (\d+)', log)[1])


def test_same_numbers(subject):
    """criu has a number that a thread of the tree has, too, but in another namespace: nothing is in the way."""
    run = subject('thread/several', house='pid')
    threads = run.before['1']['threads']
    images = run.dump()
    run.await_gone()
    number = restore_as(run, images, 2)
    assert str(number) in threads, f'criu was {number}, the threads are {sorted(threads)}'
    run.compare('after the restore')
    run.release()


def test_number_outside(subject):
    """From outside the first process has the number that it had: engines name a pod's network by it. Another one, where that is taken."""
    run = subject('tree/family', house='pid')
    number = run.pid
    images = run.dump()
    run.await_gone()        # a zombie would still have the number
    run.restore(images)
    assert run.pid == number
    images = run.dump()
    run.await_gone()
    assert restore_as(run, images, number - 1) == number
    assert run.pid != number
    run.compare('after the restore')
    run.release()


@pytest.mark.parametrize('house', ('pid', 'user,pid'))
def test_later_numbers(subject, house):
    """Who comes afterwards gets no number that was in use before the dump: another container of a pod, checkpointed before, may want it back."""
    run = subject('thread/several', house=house)
    highest = max(int(tid) for task in run.before.values() for tid in task['threads'])
    run.restore(run.dump())
    done = run.room.run('nsenter', '-t', str(run.pid), '-p', 'sh', '-c', 'echo $$')
    assert highest > 1 and int(done.stdout) > highest
    run.compare('after the restore')
    run.release()


@pytest.mark.parametrize('house', ('pid', 'user,pid'))
def test_killed_while_restoring(subject, room, house):
    """A criu that is killed while it restores leaves nobody behind, not even the first process of a namespace - or the whole tree, if it was complete."""
    run = subject('tree/family', house=house)
    images = run.dump()
    run.await_gone()
    words = [room.program, 'run', room.first, run.criu, 'restore', '-D', str(images), '-o', 'restore.log', '-d']
    killed = complete = 0
    for step in range(10):
        with subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            time.sleep(step * 0.003)
            killed += process.poll() is None
            process.kill()      # criu dies with it: it asked for SIGKILL when its parent ends
        wait_until(lambda: not any(name == b'criu\n' for name in names(room)), 10, 'criu lives on')
        wait_until(lambda: not room.pids() or is_whole(run), 10, lambda: f'left over: {room.pids()}')
        if room.pids():
            run.kill()
            complete += 1
        if complete == 3:
            break
    assert killed, 'no criu was killed at work'


def is_whole(run):
    """Nothing distinguishes the tree from what it was before the dump."""
    return not any(checks.differences(run.before, checks.snapshot(run.room)))


def names(room):
    """The names of all processes in the room."""
    for pid in room.pids():
        try:
            yield (room.proc / str(pid) / 'comm').read_bytes()
        except OSError:
            pass
