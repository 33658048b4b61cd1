# SPDX-License-Identifier: GPL-2.0-only
"""restore --on-demand: the tasks run at once, and a process of criu brings their memory."""
import os
import signal
import subprocess

import pytest
from room import PROGRAMS, wait_until
from ways import named

NAME = 'criu-on-demand'


@pytest.fixture
def stop(folder, monkeypatch):
    """Options for a script that stops the giver of memory and its guard before the tasks run."""
    monkeypatch.setenv('NOTES', str(folder / 'descriptors'))
    return '--action-script', PROGRAMS / 'stop-memory-giver.sh'


def go_on(run):
    """Lets both go on."""
    for pid in named(run.room, NAME):
        run.room.run('/bin/kill', '-CONT', pid)


def server(room):
    """Its pid: the guard is its child."""
    pids = named(room, NAME)
    return next(pid for pid in pids if int((room.proc / str(pid) / 'stat').read_text().split()[3]) not in pids)


def is_urgent(room, pid):
    """Whether it runs before ordinary programs."""
    return int((room.proc / str(pid) / 'stat').read_text().split()[40]) == os.SCHED_RR


def await_end(run, images):
    """Until all memory is there and nobody is left who would give it."""
    said = lambda: (images / 'restore.log').read_text(errors='replace')
    wait_until(lambda: 'All tasks have their memory' in said(), 40, lambda: f'the memory does not come: {said()}')
    wait_until(lambda: not named(run.room, NAME), 20, 'processes of criu are left')


def test_waiting(subject, folder, stop):
    """Tasks that touch what is not there wait for it, however long. Whoever brings it keeps nothing open that it does not need."""
    run = subject('memory/busy')
    images = run.dump()
    run.await_gone()
    ours, theirs = os.pipe()
    os.set_inheritable(theirs, True)
    words = [run.room.program, 'run', run.room.first, run.criu, 'restore', '-D', images, '-v4', '-o', 'restore.log', '-d', '--on-demand',
             *stop]
    assert subprocess.run(words, pass_fds=[theirs], stdin=subprocess.DEVNULL, check=False).returncode == 0
    os.close(theirs)
    if os.getpriority(os.PRIO_PROCESS, 0) <= 0:     # else criu is nice as well
        assert [pid for pid in named(run.room, NAME) if is_urgent(run.room, pid)] == [server(run.room)]
    since = run.let_go()
    assert os.read(ours, 1) == b''          # only the tasks could have it, and they have what they had
    files = set((folder / 'descriptors').read_text().split())
    assert not {name for name in files if name.startswith('pipe:')}, files
    assert run.status(since) is None and 'All tasks have' not in (images / 'restore.log').read_text()
    for name in ('TERM', 'INT', 'HUP', 'USR1'):
        run.room.run('/bin/kill', f'-{name}', server(run.room))
    for image in images.glob('*.img'):      # what is open is there
        image.unlink()
    go_on(run)
    await_end(run, images)
    run.release()


def test_killed(subject, stop):
    """SIGKILL for it while memory is missing: the tasks die, and see no zeros."""
    run = subject('memory/busy')
    images = run.dump()
    run.await_gone()
    run.restore(images, '--on-demand', *stop)
    guard = next(pid for pid in named(run.room, NAME) if pid != server(run.room))
    run.room.run('/bin/kill', '-CONT', guard)
    since = run.let_go()
    run.room.kill([server(run.room)])
    wait_until(lambda: run.status(since) is not None, 20, 'the task lives on')
    assert os.WTERMSIG(run.status(since)) == signal.SIGKILL
    wait_until(lambda: not run.room.pids(), 20, lambda: f'{run.room.pids()} live on')
    assert not (run.control / 'result').exists(), run.told()


@pytest.mark.parametrize('where', ['restore/make/memory', 'restore/complete/memory', 'restore/furnish/file', 'restore/home/task'])
def test_failed_restore(subject, where):
    """A restore that fails leaves nobody behind, when criu has ended."""
    run = subject('tree/family')
    images = run.dump()
    run.await_gone()
    status, said = run.call_criu('restore', images, '-d', '--on-demand', env={'CRIU_FAIL_AT': where})
    assert status == 1, said
    assert not named(run.room, NAME)
    wait_until(lambda: not run.room.pids(), 5, lambda: f'{run.room.pids()} live on')
    run.restore(images, '--on-demand')
    run.compare('after the restore')
    run.release()


def test_killed_restore(subject):
    """The server ends when criu is killed before the tasks run."""
    run = subject('tree/family')
    images = run.dump()
    run.await_gone()
    status, said = run.call_criu('restore', images, '-d', '--on-demand', '--action-script', PROGRAMS / 'kill-criu.sh')
    assert status != 0, said
    wait_until(lambda: not run.room.pids(), 20, lambda: f'{run.room.pids()} live on')


def test_lost_image(subject, stop):
    """An image that becomes shorter meanwhile: the tasks are killed, and the log says why."""
    run = subject('memory/busy')
    images = run.dump()
    run.await_gone()
    run.restore(images, '--on-demand', *stop)
    since = run.let_go()
    os.truncate(images / 'pages-1.img', 4096)
    go_on(run)
    wait_until(lambda: run.status(since) is not None, 20, 'the task lives on')
    assert os.WTERMSIG(run.status(since)) == signal.SIGKILL
    wait_until(lambda: not run.room.pids(), 20, lambda: f'{run.room.pids()} live on')
    said = (images / 'restore.log').read_text(errors='replace')
    assert 'pages-1.img has become shorter' in said and "is killed: it cannot have its memory" in said, said


@pytest.mark.parametrize('name', ['memory/busy', 'tree/family'])
@pytest.mark.parametrize('how', ['plain', 'compressed'])
def test_parents(subject, name, how):
    """Memory that lies in a chain of images, plain or compressed."""
    run = subject(name)
    more = ('--compress',) if how == 'compressed' else ()
    first = run.pre_dump(*more)
    images = run.dump('--track-mem', '--prev-images-dir', f'../{first.name}', *more)
    run.await_gone()
    run.restore(images, '--on-demand')
    run.let_go()
    await_end(run, images)
    run.release()


def test_auto_dedup(subject):
    """Images are freed, but not before all has been read."""
    run = subject('memory/busy')
    images = run.dump()
    run.await_gone()
    before = (images / 'pages-1.img').stat().st_blocks
    run.restore(images, '--on-demand', '--auto-dedup')
    run.let_go()
    await_end(run, images)
    assert (images / 'pages-1.img').stat().st_blocks < before / 2
    run.release()


def test_dumped_again(subject, stop):
    """What lacks memory still cannot be dumped, and that does not harm it; when it has all of it, it can."""
    run = subject('memory/busy')
    images = run.dump()
    run.await_gone()
    run.restore(images, '--on-demand', *stop)
    run.dump_refused()
    go_on(run)
    await_end(run, images)
    images = run.dump()
    run.await_gone()
    run.restore(images, '--on-demand')
    run.release()


def test_options(criu, folder):
    """What does not go with it is refused."""
    for option, said in (('--lazy-pages', 'needs no lazy-pages daemon'), ('--stream', 'cannot come --on-demand')):
        done = subprocess.run([criu, 'restore', '-D', folder, '--on-demand', option], capture_output=True, text=True, timeout=40, check=False)
        assert done.returncode == 1 and said in done.stderr, done.stderr
