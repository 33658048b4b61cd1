# SPDX-License-Identifier: GPL-2.0-only
"""criu is killed at random moments of a dump, a pre-dump and a restore. CRIU_KILLS=300 makes it 300 for each; a failure tells its seed, CRIU_SEED repeats it."""
import os
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

import checks
from room import wait_until
from test_safety import is_quiet, memory_of_criu

KILLS = int(os.environ.get('CRIU_KILLS', '6'))
SIGNALS = (signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)
SUBJECTS = ('thread/computing', 'tree/family', 'socket/tcp-established', 'memory/shared-anonymous', 'signal/pending', 'signal/waiting', 'file/deleted-odd')


def child_of(pid):
    """The only child of a process, None if there is none."""
    try:
        return int(Path(f'/proc/{pid}/task/{pid}/children').read_text())
    except (ValueError, OSError):
        return None


def strike(run, command, images, number, delay, *options):
    """Starts criu in the room and sends it a signal after so many seconds. Returns its exit code, None if it was over before."""
    words = [run.room.program, 'run', run.room.first, run.criu, command, '-D', str(images), '-v4', '-o', f'{command}.log', *map(str, options)]
    with subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        pid = wait_until(lambda: child_of(process.pid) or process.poll() is not None, 20)
        time.sleep(delay)
        was_busy = process.poll() is None
        if was_busy and pid is not True:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                was_busy = False
        process.wait(60)
    return process.returncode if was_busy else None


class Chance:
    """Random moments that adapt to how long a run takes."""

    def __init__(self, name):
        # Its calls return EINTR after any stop. criu repairs that when a thread stands still; if it is killed right before, nobody does.
        self.signals = [number for number in SIGNALS if number != signal.SIGKILL or name != 'signal/waiting']
        self.seed = int(os.environ.get('CRIU_SEED', time.time_ns() % 1000000))
        self.random = random.Random(self.seed)
        self.length = 0.02
        self.kills = self.rounds = 0

    def __iter__(self):
        while self.kills < KILLS:
            self.rounds += 1
            assert self.rounds < 40 * KILLS + 100, f'only {self.kills} of {self.rounds} met criu at work'
            yield self.random.choice(self.signals), self.random.uniform(0, self.length)

    def note(self, code):
        """A run has ended."""
        self.kills += code is not None
        self.length = min(2, max(0.001, self.length * (1.05 if code is not None else 0.93)))


def said_in(log):
    """What criu has said, if it came so far."""
    return log.read_text(errors='replace') if log.exists() else ''


def is_undone(code, number, log):
    """What a signal that can be caught lets criu say and return, in time or too late; what kills it does not."""
    if code is None or number == signal.SIGKILL or not log.exists():
        return True     # it was over, cannot say anything, or had not begun
    said = said_in(log)
    # Before it has begun, a signal simply ends it: there is nothing to undo.
    return code in (0, 128 + number, -number) or (code == 1 and 'interrupted by SIG' in said)


def foreign_memory(room):
    """Memory of criu in processes of the room, those that can be looked at."""
    found = []
    for pid in room.pids():
        try:
            found += [(pid, area) for area in memory_of_criu(room.proc / str(pid))]
        except OSError:
            pass
    return found


def described(room):
    """The processes of the room: number, name, parent, and the system call in which each is."""
    return [(pid, (room.proc / str(pid) / 'stat').read_text().split(' ', 4)[1:4], (room.proc / str(pid) / 'syscall').read_text().split()[0])
            for pid in room.pids()]


def check_alive(run, when):
    """The tree runs and computes, nothing of criu is left. Returns after how many seconds it did."""
    start = time.monotonic()
    wait_until(lambda: set(map(str, run.room.pids())) == set(run.before), 5, lambda: f'{when}: {described(run.room)}: {run.told()}')
    for pid in run.before:
        folder = run.room.proc / pid
        if run.before[pid].get('state') not in ('Z', 'T'):
            wait_until(lambda folder=folder: is_quiet(folder), 5, f'{when}: a thread of {pid} does not run again')
    took = time.monotonic() - start
    wait_until(lambda: not foreign_memory(run.room), 5, lambda: f'{when}: memory of criu is left: {foreign_memory(run.room)}')
    assert not (run.control / 'result').exists(), f'{when}: {run.told()}'
    return took


def is_soon(took):
    """Threads run again within 100 ms, on a machine that has a CPU for them: so most of the times must be shorter."""
    took = sorted(took)
    print('seconds until all ran again:', ' '.join(f'{seconds:.3f}' for seconds in took[-10:]))
    return took[len(took) // 2] < 0.1


@pytest.mark.parametrize('name', SUBJECTS)
@pytest.mark.parametrize('way', ['dump', 'pre-dump', 'live'])
def test_dump(subject, way, name):
    """The program does not feel it."""
    run = subject(name)
    command = 'dump' if way == 'live' else way
    options = run.subject.about['options'].split() + run.subject.about['dump_options'].split() if command == 'dump' else []
    if command == 'dump':
        options.append('-R')
    if way == 'live':
        options.append('--live')
    chance = Chance(name)
    took = []
    for number, delay in chance:
        images = run.folder_of_images()
        code = strike(run, command, images, number, delay, '-t', run.pid, *options)
        when = f'seed {chance.seed}, kill {chance.kills} ({number.name} after {delay:.6f} s of {command})'
        assert is_undone(code, number, images / f'{command}.log'), f'{when}: exit code {code}: {said_in(images / f"{command}.log")[-2000:]}'
        chance.note(code)
        took.append(check_alive(run, when))
        shutil.rmtree(images)
    assert is_soon(took), took
    images = run.dump()
    run.await_gone()
    run.restore(images)
    assert not foreign_memory(run.room), f'seed {chance.seed}: memory of a killed criu has come back'
    run.release()


def is_at_rest(run):
    """All processes of the tree are there and wait, none is about to die; or there is none, nor any other."""
    pids = run.room.pids()
    if set(map(str, pids)) != set(run.before):
        return not pids
    for pid in pids:
        try:
            text = (run.room.proc / str(pid) / 'status').read_text()
        except OSError:
            return False
        status = dict(line.split(':\t', 1) for line in text.splitlines())
        may_be = 'Z' if run.before[str(pid)].get('state') == 'Z' else 'ST'
        if status['State'][0] not in may_be or int(status['SigPnd'], 16) & 1 << signal.SIGKILL - 1:
            return False
    return True


@pytest.mark.parametrize('name', SUBJECTS)
def test_restore(subject, room, name):
    """Nothing is left of the tree: no process, no file, no mount; or, if it was too late, the whole tree runs. The images are as good as before."""
    run = subject(name)
    images = run.dump()
    run.await_gone()
    options = run.subject.about['options'].split() + run.subject.about['restore_options'].split()
    chance = Chance(name)
    for number, delay in chance:
        (images / 'restore.log').unlink(missing_ok=True)
        code = strike(run, 'restore', images, number, delay, '-d', *options)
        when = f'seed {chance.seed}, kill {chance.kills} ({number.name} after {delay:.6f} s of restore)'
        assert is_undone(code, number, images / 'restore.log'), f'{when}: exit code {code}: {said_in(images / "restore.log")[-2000:]}'
        chance.note(code)
        if code in (None, 0) or (number == signal.SIGKILL and 'Tasks resumed' in said_in(images / 'restore.log')):
            run.kill()
        elif number == signal.SIGKILL:      # it may have come after all were free, before criu could say so
            wait_until(lambda: is_at_rest(run), 5, lambda: f'{when}: left over: {described(room)}')
            run.kill()
        wait_until(lambda: not room.pids(), 5, lambda: f'{when}: left over: {room.pids()}')
        assert checks.listing(run.work) == run.files, f'{when}: files are left over: {checks.listing(run.work)}'
        assert not room.changed_mounts(run.mounts), when
    run.restore(images)
    run.compare('after the restore')
    assert not foreign_memory(room)
    run.release()


@pytest.mark.parametrize('whom', ['process', 'group'])
@pytest.mark.parametrize('name', ['tree/family', 'thread/several', 'tree/stopped'])
def test_every_moment_of_the_release(subject, room, build, name, whom):
    """SIGKILL at a call by which a restore unties its tasks from itself or lets them go: all of them run, or none is left."""
    run = subject(name)
    images = run.dump()
    run.await_gone()
    options = run.subject.about['options'].split() + run.subject.about['restore_options'].split()

    def restore_until(number):
        done = room.run(build / 'tests/programs/kill-at-release', number, whom, run.criu, 'restore', '-d', '-D', images, '-v4', '-o', 'restore.log', *options)
        assert done.returncode == 0, f'{done.stdout}{said_in(images / "restore.log")[-2000:]}'
        wait_until(lambda: is_at_rest(run), 20, lambda: f'killed at call {number}: {described(room)} of {list(run.before)}')
        survived = bool(room.pids())
        if survived:
            run.compare(f'killed at call {number}')
            run.kill()
        return int(done.stdout), survived

    calls, _ = restore_until(0)
    numbers = sorted({1, calls, *random.sample(range(1, calls + 1), min(calls, KILLS))})
    survived = [restore_until(number)[1] for number in numbers]
    assert survived == sorted(survived), f'a tree runs on, after a later kill none: {dict(zip(numbers, survived))}'
    assert not survived[0] and survived[-1]
    run.restore(images)
    run.compare('after the restore')
    run.release()


def test_no_guard_stays(subject, room):
    """When a restore is over, so is the guard of its release: criu has ended and reaped it."""
    run = subject('tree/family')
    images = run.dump()
    run.await_gone()
    for _ in range(10):
        done = room.run(run.criu, 'restore', '-d', '-D', images, '-o', 'restore.log')
        left = described(room)
        assert done.returncode == 0 and {str(pid) for pid, *_ in left} == set(run.before), left
        run.kill()
        run.await_gone()
    run.restore(images)
    run.compare('after the restore')
    run.release()
