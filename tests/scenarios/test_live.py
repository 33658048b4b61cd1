# SPDX-License-Identifier: GPL-2.0-only
"""dump --live: the tasks run on while their memory, as it was, is copied."""
import contextlib
import json
import mmap
import os
import re
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


@pytest.mark.parametrize('name', ['memory/shared-anonymous', 'memory/lockstep', 'memory/memfd', 'namespace/ipc-shm'])
def test_shared_memory(subject, name):
    """Shared memory is copied before the tasks stand still, and what was written to since once more; twice in a row, and on top of the first."""
    run = subject(name)
    images = run.dump(*LIVE)
    assert 'of its pages were written to since it was copied' in (images / 'dump.log').read_text(errors='replace')
    images = run.dump(*LIVE, '--prev-images-dir', f'../{images.name}')
    run.kill()
    run.restore(images)
    run.release()


def test_sealed(subject):
    """What nobody can write to need not be looked at in the freeze; what its mappings can write to still must."""
    run = subject('memory/memfd-seals')
    for _ in range(2):
        images = run.dump(*LIVE)
        said = (images / 'dump.log').read_text(errors='replace')
        assert said.count('It was sealed when it was copied') == 1 and said.count('of its pages were written to since it was copied') == 1, said
    run.kill()
    run.restore(images)
    run.release()


WATCHED = 'All who write to it were watched'


def can_watch():
    """Whether the kernel lets us watch who writes to shared memory: a table of who forks, and PAGEMAP_SCAN (Linux 6.7)."""
    return Path('/sys/kernel/btf/vmlinux').exists() and tuple(map(int, os.uname().release.split('.')[:2])) >= (6, 7)


def test_shared_watched(subject):
    """Of shared memory only what was written to since it was copied is looked at in the freeze; again and again, and the moment is one."""
    run = subject('memory/shared-steps')
    for options in ((), ('--compress',), ()):
        images = run.dump(*LIVE, *options)
        assert log_of(images).count(WATCHED) == can_watch(), log_of(images)
        assert not is_watched(run)
    run.kill()
    run.restore(images)
    images = run.dump(*LIVE)
    assert log_of(images).count(WATCHED) == can_watch(), log_of(images)
    run.kill()
    run.verify(images)
    run.restore(images)
    run.release()


def test_shared_strange(subject):
    """Mappings come and go meanwhile, and pages go without being written to: it is seen, and all pages are looked at."""
    run = subject('memory/shared-strange')
    for _ in range(3):
        images = run.dump(*LIVE)
        assert not is_watched(run)
        run.kill()
        run.restore(images)
    run.release()


@pytest.mark.parametrize('where', ['dump/prepare/memory', 'dump/freeze', 'dump/mappings/memory', 'dump/write/memory', 'dump/copy'])
def test_shared_failed(subject, where):
    """A failure leaves nothing: no watch, no descriptor, and the next dump is as if it had not been."""
    run = subject('memory/shared-steps')
    pids = run.room.pids()
    status, said = run.call_criu('dump', run.folder_of_images(), '-t', run.pid, *LIVE, env={'CRIU_FAIL_AT': where})
    assert status == 1, said
    assert run.room.pids() == pids
    assert not is_watched(run)
    images = run.dump(*LIVE)
    assert log_of(images).count(WATCHED) == can_watch()
    run.kill()
    run.restore(images)
    run.release()


def test_shared_killed(subject, room, criu):
    """criu is killed while it watches who writes to shared memory: the program runs on, and nothing is watched any more."""
    run = subject('memory/shared-strange')      # some of its steps wait for whoever watches
    pids = run.room.pids()
    for mark in ('pages were copied before the tasks stand still', 'The bits of areas are', 'Phase dump/freeze', 'Phase dump/mappings/memory', 'The tasks run on'):
        images = run.folder_of_images()
        log = images / 'dump.log'
        words = [room.program, 'run', room.first, criu, 'dump', '-t', run.pid, '-D', images, '-v4', '-o', 'dump.log', *LIVE]
        with subprocess.Popen([str(word) for word in words], stdin=subprocess.DEVNULL) as dump:
            wait_until(lambda log=log, mark=mark, dump=dump: (log.exists() and mark in log.read_text(errors='replace')) or dump.poll() is not None, 60)
            for pid in children_of(Path('/proc'), dump.pid) if dump.poll() is None else []:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(pid), signal.SIGKILL)
            dump.wait(60)
        wait_until(lambda: set(pids) <= set(run.room.pids()), 20)
        wait_until(lambda: not is_watched(run), 20, 'a task is watched for ever')
    images = run.dump(*LIVE)
    run.kill()
    run.restore(images)
    run.release()


@pytest.mark.parametrize('who', ['alone', 'others'])
def test_shared_outside(room, criu, folder, who):
    """Shared memory that a process outside of the tree maps as well is looked at page by page; not if that has unmapped it."""
    ready, output = folder / 'ready', folder / 'output'
    room.start(output, '/usr/bin/python3', PROGRAMS / 'share-memory.py', ready, '16', who)
    wait_until(ready.exists, 60)
    pid = ready.read_text()
    for name in ('live', 'again'):
        images = folder / name
        images.mkdir()
        done = room.run(criu, 'dump', '-t', pid, '-D', images, '-v4', '-o', 'dump.log', *LIVE)
        assert done.returncode == 0, done.stdout
        assert 'of its pages were written to since it was copied' in log_of(images)
        assert (WATCHED in log_of(images)) == (who == 'alone' and can_watch()), log_of(images)
    room.kill(room.pids())
    wait_until(lambda: not room.pids(), 20)
    done = room.run(criu, 'restore', '-D', folder / 'again', '-d', '-v4', '-o', 'restore.log')
    assert done.returncode == 0, done.stdout
    room.kill(room.pids())
    assert not output.read_text()


AHEAD = 'pages were written to since they were copied'


def log_of(images):
    """What the dump has said."""
    return (images / 'dump.log').read_text(errors='replace')


def test_small_pages(subject):
    """Memory in small pages is copied before the tasks stand still, and what was written to since once more; twice in a row, and compressed."""
    run = subject('memory/ahead')
    images = run.dump(*LIVE)
    assert log_of(images).count(AHEAD) == 3, log_of(images)
    images = run.dump(*LIVE, '--compress')
    assert log_of(images).count(AHEAD) == 3, log_of(images)
    run.kill()
    run.verify(images)
    run.restore(images)
    images = run.dump(*LIVE, '--equal-pages')       # by children
    assert AHEAD not in log_of(images)
    run.kill()
    run.restore(images)
    run.release()


def is_watched(run):
    """Some of its memory is, by a userfaultfd."""
    found = False
    for pid in run.room.pids():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):        # children come and go
            found |= bool(re.search(r'^VmFlags:.* uw', (run.room.proc / str(pid) / 'smaps').read_text(), re.M))
    return found


@pytest.mark.parametrize('where', ['dump/prepare/memory', 'dump/freeze', 'dump/content/memory', 'dump/copy', 'dump/inventory'])
def test_small_pages_failed(subject, where):
    """A failure before, in and after the freeze leaves nothing: no child, no descriptor, no watch; and the next dump is as if it had not been."""
    run = subject('memory/ahead')
    pids = sorted(map(int, run.before))
    descriptors = {pid: os.listdir(run.room.proc / str(pid) / 'fd') for pid in pids}
    status, said = run.call_criu('dump', run.folder_of_images(), '-t', run.pid, *LIVE, env={'CRIU_FAIL_AT': where})
    assert status == 1, said
    wait_until(lambda: run.room.pids() == pids, 20, lambda: f'{run.room.pids()} are left, there were {pids}')
    assert not is_watched(run)
    assert {pid: os.listdir(run.room.proc / str(pid) / 'fd') for pid in pids} == descriptors
    images = run.dump(*LIVE)
    assert log_of(images).count(AHEAD) == 3
    run.kill()
    run.restore(images)
    run.release()


def test_small_pages_killed(subject, room, criu):
    """criu is killed again and again, while it copies memory in small pages: the program runs on, and nothing of it is left."""
    run = subject('memory/ahead')
    pids = sorted(map(int, run.before))
    marks = ('Phase dump/prepare/memory', 'The bits of areas are', 'were copied before it stands still', 'Phase dump/freeze', 'Phase dump/content/memory',
             'written to since they were copied', 'The tasks run on', 'Phase dump/copy')
    for mark in marks:
        images = run.folder_of_images()
        log = images / 'dump.log'
        words = [room.program, 'run', room.first, criu, 'dump', '-t', run.pid, '-D', images, '-v4', '-o', 'dump.log', *LIVE]
        with subprocess.Popen([str(word) for word in words], stdin=subprocess.DEVNULL) as dump:
            wait_until(lambda log=log, mark=mark, dump=dump: (log.exists() and mark in log.read_text(errors='replace')) or dump.poll() is not None, 60)
            for pid in children_of(Path('/proc'), dump.pid) if dump.poll() is None else []:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(pid), signal.SIGKILL)
            dump.wait(60)
        wait_until(lambda: run.room.pids() == pids, 20, lambda: f'{run.room.pids()} are left, there were {pids}')
        wait_until(lambda: not is_watched(run), 20, 'a task is watched for ever')
    images = run.dump(*LIVE)
    assert log_of(images).count(AHEAD) == 3
    run.kill()
    run.restore(images)
    run.release()


@pytest.mark.parametrize('what', ['wait', 'fork', 'direct'])
def test_small_pages_held(room, criu, build, folder, what):
    """The pages are those of a dump that is not live, and all is as it was; also of a task that forks all the time. Not where devices may write to it."""
    go, ready = folder / 'go', folder / 'ready'
    pid = room.start(folder / 'output', '/usr/bin/python3', PROGRAMS / 'hold-small-pages.py', ready, go, '80', what)
    wait_until(ready.exists, 60)
    maps = []
    for name, options in (('live', LIVE), ('again', LIVE), ('plain', ('--leave-running',))):
        images = folder / name
        images.mkdir()
        done = room.run(criu, 'dump', '-t', pid, '-D', images, '-v4', '-o', 'dump.log', *options)
        assert done.returncode == 0, done.stdout
        maps.append([entry for entry in pagemap(build, images / f'pagemap-{pid}.img')[1] if entry[1] >= 80 * 256])      # the rest is python's
        assert (AHEAD in log_of(images)) == (name != 'plain' and what != 'direct'), log_of(images)
    if what != 'fork':
        assert maps[0] == maps[1] == maps[2] and len(maps[0]) == 1
    go.touch()
    wait_until(lambda: not room.pids(), 60, lambda: f'{room.pids()} are left')
    go.unlink()
    done = room.run(criu, 'restore', '-D', folder / 'again', '-d', '-v4', '-o', 'restore.log')
    assert done.returncode == 0, done.stdout
    go.touch()
    wait_until(lambda: not room.pids(), 60, lambda: f'{room.pids()} are left')
    assert not (folder / 'output').read_text()


def areas_of(build, images, pid):
    """The records of the mappings."""
    image = images / f'mm-{pid}.img'
    return json.loads(subprocess.run([build / 'crit', 'decode', '-i', image], check=True, stdout=subprocess.PIPE).stdout)['entries'][0]['vmas']


@pytest.mark.parametrize('name', ['memory/advice', 'memory/area-settings', 'memory/anonymous', 'memory/shared-anonymous', 'memory/many-areas'])
def test_same_areas(subject, build, name):
    """What smaps tells of areas is learnt before the tasks stand still: it is the same as without --live."""
    run = subject(name)
    plain = run.dump('--leave-running')
    images = run.dump(*LIVE)
    assert areas_of(build, images, run.pid) == areas_of(build, plain, run.pid)
    log = (images / 'dump.log').read_text(errors='replace')
    assert 'The bits of areas are' in log
    if 'areas are known' in log and name != 'memory/advice':
        assert 'smaps is read' not in log
        log = (plain / 'dump.log').read_text(errors='replace')      # there only if it is worth it
        assert ('areas are known' in log) == (name == 'memory/many-areas')
        assert 'areas are known' not in log or 'smaps is read' not in log
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


def can_have_huge_pages():
    """Whether the kernel moves memory into huge pages here and now, and nobody has forbidden it."""
    mode = Path('/sys/kernel/mm/transparent_hugepage/enabled')
    if not mode.exists() or '[never]' in mode.read_text():
        return False
    size = 64 << 20
    with mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as memory:
        memory[:] = bytes(size)
        try:
            memory.madvise(25, 2 << 20, size - (4 << 20))        # MADV_COLLAPSE
        except OSError:
            return False
    return True


def memory_of(proc, pid, what):
    """KiB of what smaps_rollup calls so."""
    return int(re.search(rf'^{what}: *(\d+)', (proc / str(pid) / 'smaps_rollup').read_text(), re.M)[1])


@pytest.mark.parametrize('child', [False, True])
def test_huge_pages(room, criu, folder, child):
    """Memory moves into huge pages before the task stands still; not what it shares with a child, and there is not more of it afterwards."""
    if not can_have_huge_pages():
        pytest.skip('there are no huge pages')
    go, ready, images = folder / 'go', folder / 'ready', folder / 'images'
    images.mkdir()
    pid = room.start(folder / 'output', '/usr/bin/python3', PROGRAMS / 'hold-until.py', ready, go, 'exit 0', '64', *(('child',) if child else ()))
    wait_until(ready.exists, 20)
    before = memory_of(room.proc, pid, 'Pss')
    done = room.run(criu, 'dump', '-t', pid, '-D', images, '-v4', '-o', 'dump.log', *LIVE)
    assert done.returncode == 0, done.stdout
    huge = memory_of(room.proc, pid, 'AnonHugePages')
    assert huge == 0 if child else huge > 32 << 10, f'{huge} KiB in huge pages'
    assert memory_of(room.proc, pid, 'Pss') < before + 8192
    pids = room.pids()
    room.kill(pids)
    wait_until(lambda: not room.pids(), 20)
    done = room.run(criu, 'restore', '-D', images, '-d', '-v4', '-o', 'restore.log')
    assert done.returncode == 0, done.stdout
    go.touch()
    wait_until(lambda: not room.pids(), 20, lambda: f'{room.pids()} are left')
    assert not (folder / 'output').read_text()


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
