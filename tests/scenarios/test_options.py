# SPDX-License-Identifier: GPL-2.0-only
"""What options do to a real tree: its end, pid files, directories, statistics, CPU checks, time limits."""
import os
import re
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from room import PROGRAMS, wait_until


def states(room):
    """The states of all processes of the room: {pid: letter}."""
    found = {}
    for pid in room.pids():
        try:
            found[pid] = re.search(r'^State:\s+(\S)', (room.proc / str(pid) / 'status').read_text(), re.M)[1]
        except FileNotFoundError:
            pass
    return found


def is_stopped(room):
    """Whether every process of the room is stopped, zombies aside."""
    here = states(room)
    return here and not set(here.values()) - set('TZ')


def await_stopped(room):
    """The signal that stops them was sent before they were let go, but they have to wake up to obey."""
    wait_until(lambda: is_stopped(room), 2, lambda: f'not stopped: {states(room)}')


@pytest.mark.parametrize('name', ['tree/family', 'thread/several'])
def test_leave_stopped(subject, room, name):
    """-s leaves the tasks stopped, after a dump and after a restore; SIGCONT wakes them up."""
    run = subject(name)
    images = run.dump('--leave-stopped')
    await_stopped(room)
    room.run('/bin/kill', '-CONT', '--', *room.pids())
    wait_until(lambda: not is_stopped(room), 2, 'they do not go on')
    run.compare('after a dump with -s and SIGCONT')
    run.kill()

    run.restore(images, '--leave-stopped')
    await_stopped(room)
    room.run('/bin/kill', '-CONT', '--', *room.pids())
    run.release()


def test_last_of_stopped_and_running_wins(subject, room):
    """-s -R is -R."""
    run = subject('tree/family')
    run.dump('-s', '-R')
    run.compare('after a dump with -s -R')
    run.dump('-R', '-s')
    await_stopped(room)
    room.run('/bin/kill', '-CONT', '--', *room.pids())
    run.release()


def test_pidfile(subject):
    """The pid of the root task, in a new file of its owner's."""
    run = subject('file/pipe')
    images = run.dump()
    run.restore(images, '--pidfile', 'root.pid')
    pidfile = images / 'root.pid'
    assert pidfile.read_text() == str(run.pid)
    assert stat.S_IMODE(pidfile.stat().st_mode) == 0o600
    run.kill()

    code, said = run.call_criu('restore', images, '-d', '--pidfile', 'root.pid')
    assert code != 0 and 'root.pid' in said
    run.await_gone()
    pidfile.unlink()
    run.restore(images, '--pidfile', 'root.pid')
    run.release()


@pytest.mark.parametrize('end', ['ends well', 'is killed'])
def test_restore_stays(subject, room, end):
    """Without -d criu waits for the tree and returns 0 whatever became of it."""
    run = subject('tree/family')
    images = run.dump()
    run.await_gone()
    words = [room.program, 'run', room.first, run.criu, 'restore', '-D', str(images), '-v4', '-o', 'restore.log']
    with subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        log = images / 'restore.log'
        wait_until(lambda: log.exists() and 'Tasks resumed' in log.read_text(), 5, 'not restored')
        time.sleep(0.2)
        assert process.poll() is None, log.read_text()
        if end == 'is killed':
            room.run('/bin/kill', '-KILL', str(run.pid))
        else:
            (run.control / 'go').touch()
        assert process.wait(60) == 0
    if end == 'is killed':
        run.kill()      # the orphans
    wait_until(lambda: not room.pids(), 3, lambda: f'left over: {room.pids()}')


def test_restore_sibling(subject, room):
    """-S makes the root a child of who called criu."""
    run = subject('file/pipe')
    images = run.dump()
    run.await_gone()
    script = f'''{run.criu} restore -D {images} -o restore.log -S -d || exit 1
grep ^PPid: /proc/{run.pid}/status; echo shell $$; touch {run.control}/go; wait; echo done'''
    done = room.run('/bin/bash', '-c', script)
    assert done.returncode == 0, done.stdout + (images / 'restore.log').read_text()
    parent, shell = re.search(r'PPid:\s+(\d+)', done.stdout)[1], re.search(r'shell (\d+)', done.stdout)[1]
    assert parent == shell, done.stdout


def test_work_dir(subject, folder):
    """Images in one directory; log and statistics in the other."""
    run = subject('file/pipe')
    work = folder / 'working'
    work.mkdir()
    images = run.dump('-W', work)
    assert (work / 'dump.log').exists() and (work / 'stats-dump').exists()
    assert not {'dump.log', 'stats-dump'} & set(os.listdir(images))
    assert not [name for name in os.listdir(work) if name.endswith('.img')]
    code, said = run.call_criu('restore', images, '-d', '-W', work)
    assert code == 0, said
    assert (work / 'restore.log').exists() and (work / 'stats-restore').exists()
    run.release()


def crit(build, action, image, *more):
    """crit's JSON of an image, as text."""
    words = [str(build / 'crit'), action, '-i', str(image), *map(str, more)]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout


def numbers(text):
    """All "name": number of a JSON text."""
    return {name: int(value) for name, value in re.findall(r'"(\w+)":\s*(\d+)', text)}


def test_statistics(subject, build):
    """Times and pages, in the files and on stdout."""
    run = subject('memory/anonymous')
    images = run.folder_of_images()
    began = time.monotonic()
    done = run.room.run(run.criu, 'dump', '-D', images, '-o', 'dump.log', '-t', run.pid, '--display-stats')
    all_us = (time.monotonic() - began) * 1e6
    assert done.returncode == 0, (images / 'dump.log').read_text()
    said = numbers(crit(build, 'decode', images / 'stats-dump'))
    assert 0 < said['freezing_time'] <= said['frozen_time'] <= all_us
    pages_size = sum(path.stat().st_size for path in images.glob('pages-*.img'))
    assert said['pages_written'] + said.get('shpages_written', 0) == pages_size // 4096
    assert said['pages_scanned'] >= said['pages_written']
    assert f'{said["frozen_time"]} us' in done.stdout and f' {said["pages_written"]}\n' in done.stdout

    done = run.room.run(run.criu, 'restore', '-D', images, '-o', 'restore.log', '-d', '--display-stats')
    assert done.returncode == 0, (images / 'restore.log').read_text()
    said = numbers(crit(build, 'decode', images / 'stats-restore'))
    assert 0 < said['forking_time'] <= said['restore_time']
    assert 0 < said['pages_restored'] <= pages_size // 4096
    assert f'{said["restore_time"]} us' in done.stdout
    run.release()


def test_statistics_of_other_kinds(subject, build):
    """The search for watched files is clocked, shared memory is counted and clocked as well, and no field is left out."""
    run = subject('file/inotify')
    images = run.dump('--leave-running', '--force-irmap', '--irmap-scan-path', run.work)
    said = numbers(crit(build, 'decode', images / 'stats-dump'))
    assert 0 < said['irmap_resolve'] <= said['frozen_time']
    assert len(said) == 14, said
    images = run.dump('--leave-running')
    assert numbers(crit(build, 'decode', images / 'stats-dump'))['irmap_resolve'] == 0
    run.release()


def test_statistics_of_shared_memory(subject, build):
    """Its pages have counters of their own."""
    run = subject('memory/shared-anonymous')
    images = run.dump()
    said = numbers(crit(build, 'decode', images / 'stats-dump'))
    assert 0 < said['shpages_written'] <= said['shpages_scanned']
    assert said['pages_written'] + said['shpages_written'] == sum(path.stat().st_size for path in images.glob('pages-*.img')) // 4096
    assert said['memdump_time'] + said['memwrite_time'] <= said['frozen_time']
    run.await_gone()
    run.restore(images)
    run.release()


def test_log_of_each_task(subject):
    """--log-pid: what is said of a task stands in a file of its own as well."""
    run = subject('tree/family')
    images = run.dump()
    run.await_gone()
    (images / f'restore.log.{run.pid}').write_text('of another time')
    code, said = run.call_criu('restore', images, '-d', '--log-pid')
    assert code == 0, said
    log = (images / 'restore.log').read_text().splitlines()
    for pid in run.room.pids():
        own = (images / f'restore.log.{pid}').read_text().splitlines()
        assert own and own == [line for line in log if re.match(rf'\(\d\d\.\d{{6}}\) (Warn .*|Error .*)?task {pid}\b', line)]
    assert len(list(images.glob('restore.log.*'))) == len(run.room.pids())
    run.release()


def test_log_of_each_task_needs_a_file(subject):
    """And says so."""
    run = subject('file/pipe')
    images = run.dump()
    done = run.room.run(run.criu, 'restore', '-D', images, '--log-pid')
    assert done.returncode == 1 and '--log-pid needs --log-file' in done.stdout


def test_cpu_cap(subject, build, folder):
    """A checkpoint of a CPU with more instruction sets is refused, but only if that was asked for."""
    run = subject('file/pipe')
    images = run.dump('--cpu-cap=ins')
    run.await_gone()
    text = crit(build, 'decode', images / 'cpuinfo.img', '--pretty')
    changed = re.sub(r'"capability":\s*\[([^]]*)\]', lambda m: '"capability": [' + ','.join(['4294967295'] * 19) + ']', text)
    assert changed != text
    (folder / 'cpuinfo.json').write_text(changed)
    subprocess.run([build / 'crit', 'encode', '-i', folder / 'cpuinfo.json', '-o', images / 'cpuinfo.img'], check=True)
    code, said = run.call_criu('restore', images, '-d', '--cpu-cap=ins')
    assert code != 0 and 'the CPU does not have' in said
    run.await_gone()
    (images / 'cpuinfo.img').rename(images / 'other')
    code, said = run.call_criu('restore', images, '-d', '--cpu-cap=ins')
    assert code != 0 and 'cpuinfo.img is missing' in said
    (images / 'other').rename(images / 'cpuinfo.img')
    run.restore(images)
    run.release()


def test_no_cpuinfo_by_default(subject):
    """cpuinfo.img is only written when asked for."""
    run = subject('file/pipe')
    assert not (run.dump('-R') / 'cpuinfo.img').exists()
    assert not (run.dump('-R', '--cpu-cap=none') / 'cpuinfo.img').exists()
    assert (run.dump('-R', '--cpu-cap=^all') / 'cpuinfo.img').exists()
    run.release()


def test_timeout(room, criu, folder):
    """A task that cannot be stopped ends the dump in time, and it goes on."""
    os.mkfifo(folder / 'fifo')
    (folder / 'images').mkdir()
    pid = room.start(folder / 'output', sys.executable, PROGRAMS / 'wait-in-vfork.py')
    wait_until(lambda: len(room.pids()) == 2 and states(room).get(pid) == 'D', 5, lambda: states(room))
    began = time.monotonic()
    done = room.run(criu, 'dump', '-D', 'images', '-t', pid, '--timeout', '1', '-v4')
    took = time.monotonic() - began
    assert done.returncode == 1, done.stdout
    assert took > 0.9, took     # without a limit it would never end
    assert re.search(rf'Error .*\b{pid}\b', done.stdout), done.stdout
    assert states(room).get(pid) == 'D'
    with open(folder / 'fifo', 'w', encoding='ascii'):
        pass
    wait_until(lambda: not room.pids(), 5, lambda: f'they do not go on: {states(room)}')


def test_exec_cmd(subject, room):
    """The command takes criu's place: same pid, parent of the tree, no descriptors of criu's, plain signals."""
    run = subject('file/pipe')
    images = run.dump()
    run.await_gone()
    script = f'''grep ^PPid: /proc/{run.pid}/status; echo command $$; ls /proc/$$/fd; grep ^SigIgn /proc/$$/status
touch {run.control}/go; while [ -d /proc/{run.pid} ] && ! grep -q "^State:.*Z" /proc/{run.pid}/status; do sleep 0.02; done'''
    done = room.run('/bin/bash', '-c', 'echo started $$; exec "$0" "$@"', run.criu, 'restore', '-D', images, '-o', 'restore.log',
                    '--exec-cmd', '--', 'bash', '-c', script)
    assert done.returncode == 0, done.stdout + (images / 'restore.log').read_text()
    started, parent, command = (re.search(rf'{word}\s+(\d+)', done.stdout)[1] for word in ('started', 'PPid:', 'command'))
    assert started == parent == command, done.stdout
    assert not int(re.search(r'SigIgn:\s+(\w+)', done.stdout)[1], 16) & 1 << signal.SIGPIPE - 1, done.stdout
    assert set(re.findall(r'^\d+$', done.stdout, re.M)) <= {'0', '1', '2', '255'}, done.stdout


def test_criu_in_its_own_tree(room, criu, folder):
    """A shell that dumps itself is told why that cannot be, and goes on."""
    (folder / 'images').mkdir()
    done = room.run('/bin/bash', '-c', f'{criu} dump -t $$ -D images -j; echo status $?')
    assert 'status 1\n' in done.stdout and 'this is criu itself' in done.stdout, done.stdout
    assert done.stdout.count('Error (') == 2 and 'Dumping FAILED' in done.stdout
    wait_until(lambda: not room.pids(), 3, lambda: f'left over: {room.pids()}')


def test_thread_of_the_kernel(criu, folder):
    """Nothing that could be dumped."""
    if 'kthreadd' not in Path('/proc/2/comm').read_text():
        pytest.skip('process 2 is not kthreadd here')
    done = subprocess.run([criu, 'dump', '-t', '2', '-D', folder], capture_output=True, text=True, check=False)
    assert done.returncode == 1 and 'a thread of the kernel' in done.stderr
