# SPDX-License-Identifier: GPL-2.0-only
"""dump --live: the tasks run on while their memory, as it was, is copied."""
import contextlib
import os
import signal
import subprocess
from pathlib import Path

import pytest
from pages import pagemap
from room import PROGRAMS, wait_until

LIVE = ('--leave-running', '--live')


def children_of(proc, pid):
    """Those of a process, dead or alive."""
    return (proc / str(pid) / 'task' / str(pid) / 'children').read_text().split()


def test_options(criu, folder):
    """What does not go with it is refused."""
    for options, said in (((), 'give --leave-running'), (('-R', '--lazy-pages'), 'exclude each other'), (('-R', '--track-mem'), 'exclude each other'),
                          (('-R', '--stream'), 'exclude each other')):
        done = subprocess.run([criu, 'dump', '-t', '1', '-D', folder, '--live', *options], capture_output=True, text=True, timeout=40, check=False)
        assert done.returncode == 1 and said in done.stderr, done.stderr


@pytest.mark.parametrize('where', ['dump/content/memory', 'dump/write/memory', 'dump/copy', 'dump/inventory'])
def test_failed(subject, where):
    """A failure before or after the tasks run on: no checkpoint, and nothing of criu is left in them."""
    run = subject('tree/family')
    pids = run.room.pids()
    images = run.folder_of_images()
    status, said = run.call_criu('dump', images, '-t', run.pid, *LIVE, env={'CRIU_FAIL_AT': where})
    assert status == 1, said
    assert not (images / 'inventory.img').exists()
    assert run.room.pids() == pids
    run.compare('after the failure')
    run.release()


def test_moment(subject):
    """All memory is that of one moment, again and again, plain, compressed, and on top of parent images."""
    run = subject('memory/lockstep')
    before = run.pre_dump()
    run.dump(*LIVE)
    run.dump(*LIVE, '--compress')
    images = run.dump(*LIVE, '--prev-images-dir', f'../{before.name}')
    run.kill()
    run.verify(images)
    run.restore(images)
    run.release()


def test_what_cannot_wait(subject):
    """Memory that no child would have is copied while the task stands still, and that is said."""
    run = subject('memory/busy')
    images = run.dump(*LIVE)
    assert 'is copied while it stands still: it has memory that no child gets' in (images / 'dump.log').read_text(errors='replace')
    run.kill()
    run.restore(images)
    run.release()


def test_same_pages(subject, build):
    """The pages are those of a dump that is not live."""
    run = subject('memory/anonymous')
    number, plain = pagemap(build, run.dump('--leave-running') / f'pagemap-{run.pid}.img')
    same, live = pagemap(build, run.dump(*LIVE) / f'pagemap-{run.pid}.img')
    assert (number, plain) == (same, live)
    run.release()


def test_execs_and_ends(room, criu, folder):
    """A task that executes another program, or ends, while its memory is copied, does so; the checkpoint has what it was."""
    for then, ending in (('exec sleep 1000', 'sleep'), ('exit 0', None)):
        images = folder / f'images-{ending}'
        images.mkdir()
        go, ready = folder / f'go-{ending}', folder / f'ready-{ending}'
        pid = room.start(folder / 'output', '/usr/bin/python3', PROGRAMS / 'hold-until.py', ready, go, then, '200')
        wait_until(ready.exists, 20)
        words = [room.program, 'run', room.first, criu, 'dump', '-t', str(pid), '-D', images, '-v4', '-o', 'dump.log', *LIVE]
        with subprocess.Popen(words, stdin=subprocess.DEVNULL) as dump:
            log = images / 'dump.log'
            wait_until(lambda: log.exists() and 'The tasks run on' in log.read_text(errors='replace') or dump.poll() is not None, 40)
            go.touch()
            assert dump.wait(60) == 0, log.read_text(errors='replace')
        if ending:
            wait_until(lambda: (room.proc / str(pid) / 'comm').read_text().strip() == ending, 20)
            assert not children_of(room.proc, pid)
            room.kill([pid])
        wait_until(lambda: not room.pids(), 20, lambda: f'{room.pids()} are left')
        go.unlink()
        done = room.run(criu, 'restore', '-D', images, '-d', '-v4', '-o', 'restore.log')
        assert done.returncode == 0, done.stdout
        go.touch()
        if ending:
            wait_until(lambda: (room.proc / str(pid) / 'comm').read_text().strip() == ending, 20)
            room.kill([pid])
        wait_until(lambda: not room.pids(), 20, lambda: f'{room.pids()} are left')
        assert not (folder / 'output').read_text()


def start_and_halt(room, criu, pid, images):
    """A dump that stands still while it copies the memory: the process to wait for, and the pid of criu; or None, it was too fast."""
    words = [room.program, 'run', room.first, criu, 'dump', '-t', str(pid), '-D', images, '-v4', '-o', 'dump.log', *LIVE]
    process = subprocess.Popen(words, stdin=subprocess.DEVNULL)
    log = images / 'dump.log'
    wait_until(lambda: log.exists() and 'The tasks run on' in log.read_text(errors='replace') or process.poll() is not None, 40)
    dump = children_of(Path('/proc'), process.pid) if process.poll() is None else []
    if dump:
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(dump[0]), signal.SIGSTOP)
            if children_of(room.proc, pid):
                return process, int(dump[0])
            os.kill(int(dump[0]), signal.SIGCONT)
    assert process.wait(60) == 0, log.read_text(errors='replace')
    return None


def test_killed_after_exec(room, criu, folder):
    """criu is killed when the task, whose memory it copies, executes another program by then: that forgets the child of which it knows nothing."""
    go, ready = folder / 'go', folder / 'ready'
    pid = room.start(folder / 'output', '/usr/bin/python3', PROGRAMS / 'hold-until.py', ready, go, 'exec sleep 1000', '200')
    wait_until(ready.exists, 20)
    halted = None
    for i in range(20):
        images = folder / f'images-{i}'
        images.mkdir()
        halted = start_and_halt(room, criu, pid, images)
        if halted:
            break
    assert halted, 'it is always too fast'
    go.touch()
    wait_until(lambda: (room.proc / str(pid) / 'comm').read_text().strip() == 'sleep', 20)
    os.kill(halted[1], signal.SIGKILL)
    halted[0].wait(60)
    wait_until(lambda: not children_of(room.proc, pid), 5, 'a dead child is left')
    assert (room.proc / str(pid) / 'comm').read_text().strip() == 'sleep'
    room.kill([pid])
