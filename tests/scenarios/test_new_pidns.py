# SPDX-License-Identifier: GPL-2.0-only
"""restore --new-pidns: the pids are taken here, so the tree gets a pid namespace of its own, with an init of ours."""
import os
import subprocess
from pathlib import Path

import pytest

from room import text_or_nothing, wait_until
from rpc import start_swrk


CRIU_NS = Path(__file__).resolve().parents[2] / 'src/command/criu-ns'


@pytest.fixture
def counting(build, criu, folder, room):
    """A program that counts into a file, its images, and it still runs: (pid, images, a function that tells how far it is)."""
    out = folder / 'numbers'
    pid = room.start(out, build / 'tests/demo/count')
    wait_until(lambda: out.stat().st_size > 3, 10, 'it does not count')
    images = folder / 'images'
    images.mkdir()
    done = room.run(criu, 'dump', '-t', pid, '-D', images, '-R')
    assert done.returncode == 0, done.stdout
    return pid, images, lambda: out.stat().st_size


def inits(room):
    return [pid for pid in room.pids() if text_or_nothing(room.proc / str(pid) / 'comm') == 'criu-init\n']


def inner_pids(room, pid):
    return (room.proc / str(pid) / 'status').read_text().split('NSpid:')[1].split('\n')[0].split()


def test_beside_the_living(counting, room, criu):
    """verify knows that it would do; the copy runs beside the original, with the same pid in its own namespace, and ends by itself."""
    pid, images, size = counting
    done = room.run(criu, 'verify', images)
    assert done.returncode == 1 and '--new-pidns' in done.stdout, done.stdout
    done = room.run(criu, 'verify', images, '--new-pidns')
    assert done.returncode == 0 and 'no free pids' in done.stdout, done.stdout
    done = room.run(criu, 'restore', '-d', '-D', images)
    assert done.returncode == 1 and '--new-pidns' in done.stdout, done.stdout
    done = room.run(criu, 'restore', '-d', '-D', images, '--new-pidns', '--pidfile', 'pid')
    assert done.returncode == 0, done.stdout
    root = int((images / 'pid').read_text())
    assert root != pid and inner_pids(room, root)[-1] == str(pid)
    room.kill([pid])
    before = size()
    wait_until(lambda: size() > before, 10, 'the copy does not count')
    assert len(inits(room)) == 1
    assert not [fd for fd in (room.proc / str(inits(room)[0]) / 'fd').iterdir() if os.readlink(fd) != '/dev/null']
    room.kill([root])
    wait_until(lambda: not room.pids(), 10, lambda: f'still there: {room.pids()}')


def test_criu_ns(counting, room, criu):
    """The program criu-ns restores there and dumps from there, twice in a row, beside the original."""
    pid, images, size = counting
    for turn in range(2):
        done = room.run(CRIU_NS, '--criu-binary', criu, 'restore', '-d', '-D', images, '--pidfile', 'pid')
        assert done.returncode == 0, done.stdout
        root = int((images / 'pid').read_text())
        assert inner_pids(room, root)[-1] == str(pid)
        if not turn:
            room.kill([pid])
        before = size()
        wait_until(lambda: size() > before, 10, 'the copy does not count')
        images = images.with_name(f'images-{turn}')
        images.mkdir()
        done = room.run(CRIU_NS, 'dump', f'--criu-binary={criu}', '-t', root, '-D', images)
        assert done.returncode == 0, done.stdout
        wait_until(lambda: not room.pids(), 10, lambda: f'still there: {room.pids()}')
    done = room.run(CRIU_NS, 'restore', '-S', '-d', '-D', images)
    assert done.returncode == 1 and '-S' in done.stdout, done.stdout


def test_not_detached(counting, room, criu):
    """Without -d criu stays until the last task has ended."""
    pid, images, size = counting
    room.kill([pid])
    before = size()
    words = [room.program, 'run', room.first, criu, 'restore', '-D', images, '--new-pidns']
    with subprocess.Popen(list(map(str, words)), stdin=subprocess.DEVNULL) as process:
        try:
            wait_until(lambda: size() > before, 20, 'the copy does not count')
            assert process.poll() is None
            room.kill([child for child in room.pids() if text_or_nothing(room.proc / str(child) / 'comm') == 'count\n'])
            assert process.wait(20) == 0
        finally:
            process.kill()
    assert not inits(room)


def test_failure_leaves_nothing(counting, room, criu):
    """At the beginning, in the middle, and at the very end, when the tasks run already."""
    pid, images, _ = counting
    (images / 'there').write_text('')
    for point, words in (('restore/load/file', ()), ('restore/content/memory', ()), ('', ('--pidfile', 'there'))):
        done = room.run(criu, 'restore', '-d', '-D', images, '--new-pidns', *words, env={**os.environ, 'CRIU_FAIL_AT': point})
        if done.returncode == 0:
            assert point, done.stdout        # a failure point that there is not
            pytest.fail(f'{point} did not fail')
        wait_until(lambda: room.pids() == [pid], 10, lambda: f'still there: {room.pids()}')
    room.kill([pid])


def test_by_request(counting, room, criu):
    """The client is told the pid as it sees it."""
    pid, images, _ = counting
    with start_swrk(criu, room=room) as client:
        reply = client.call('RESTORE', {'images_dir': str(images), 'new_pidns': True})
    assert reply and reply['success'], reply
    assert inner_pids(room, reply['restore']['pid'])[-1] == str(pid)
    with start_swrk(criu, room=room) as client:
        reply = client.call('RESTORE', {'images_dir': str(images / 'nowhere'), 'new_pidns': True})
    assert reply and not reply['success']
    room.kill([other for other in room.pids() if other not in inits(room)])
    wait_until(lambda: not room.pids(), 10, lambda: f'still there: {room.pids()}')


def test_container(build, criu, folder, room):
    """A tree with a pid namespace of its own lives in one within the new one: its root is told as the caller sees it."""
    pid = room.start(folder / 'numbers', build / 'tests/demo/count', house='pid,mnt')
    wait_until(lambda: (folder / 'numbers').stat().st_size > 3, 10, 'it does not count')
    images = folder / 'images'
    images.mkdir()
    assert room.run(criu, 'dump', '-t', pid, '-D', images).returncode == 0
    wait_until(lambda: not room.pids(), 10, 'it does not end')
    done = room.run(criu, 'restore', '-d', '-D', images, '--new-pidns', '--pidfile', 'pid')
    assert done.returncode == 0, done.stdout
    root = int((images / 'pid').read_text())
    assert root in room.pids() and inner_pids(room, root)[-1] == '1'
    room.kill([root])
    wait_until(lambda: not room.pids(), 10, lambda: f'still there: {room.pids()}')


def test_stream_to_itself(counting, room, criu):
    """dump | restore on one machine: the original ends when the copy is complete."""
    pid, images, size = counting
    script = f'set -o pipefail; {criu} dump -t {pid} -D {images} --stream=- | {criu} restore -d -D {images} --stream=- --new-pidns --pidfile pid'
    done = room.run('bash', '-c', script)
    assert done.returncode == 0, done.stdout
    wait_until(lambda: pid not in room.pids(), 10, 'the original is still there')
    before = size()
    wait_until(lambda: size() > before, 10, 'the copy does not count')
    room.kill([int((images / 'pid').read_text())])
    wait_until(lambda: not room.pids(), 10, lambda: f'still there: {room.pids()}')


def test_refused_together(criu, folder):
    """Who wants to be the parent of the root cannot have it."""
    for words in (('--restore-sibling', '-d'), ('--shell-job',)):
        done = subprocess.run([criu, 'restore', '--new-pidns', *words], cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        assert done.returncode == 1 and '--new-pidns' in done.stderr, done


@pytest.mark.parametrize('kind', ['session', 'process group'])
def test_number_held(room, criu, folder, kind):
    """A process outside of the tree is in its session or group, and so holds its pid: all say so, and there are ways out."""
    images = folder / 'images'
    images.mkdir()
    leave_one = '(exec sleep 10001 &) ; exec sleep 10002'
    pid = room.start(folder / 'out', '/bin/sh', '-c', leave_one if kind == 'session' else f"perl -e 'setpgrp; exec @ARGV' /bin/sh -c '{leave_one}' & wait")

    def find(seconds):
        found = room.run('pgrep', '-r', 'S', '-fx', f'sleep {seconds}').stdout
        return int(found) if found else 0

    wait_until(lambda: find(10001) and find(10002), 20, 'they do not start')
    pid, other = find(10002), find(10001)
    options = ['--shell-job'] if kind == 'process group' else []
    said = f'process {other} (sleep), outside of the tree, is in the {kind} {pid}, which task {pid} (sleep) has made'
    done = room.run(criu, 'check', '--tree', pid, *options)
    assert said in done.stdout, done.stdout
    done = room.run(criu, 'dump', '-t', pid, '-D', images, '-R', *options)
    assert done.returncode == 0 and 'outside of the tree' not in done.stdout, done.stdout
    done = room.run(criu, 'dump', '-t', pid, '-D', images, *options)
    assert done.returncode == 0 and said in done.stdout, done.stdout
    done = room.run(criu, 'verify', images, *options)
    assert done.returncode == 1 and f'of the {kind} of process {other} (sleep)' in done.stdout, done.stdout
    done = room.run(criu, 'restore', '-d', '-D', images, *options)
    assert done.returncode == 1 and f'the number of the {kind} of process {other} (sleep): end' in done.stdout, done.stdout
    if kind == 'session':
        done = room.run(criu, 'restore', '-d', '-D', images, '--new-pidns')
        assert done.returncode == 0, done.stdout
        room.kill([find(10002)])
    room.kill([other])
    wait_until(lambda: not find(10001) and not find(10002), 10, 'they do not end')
    done = room.run(criu, 'restore', '-d', '-D', images, *options)
    assert done.returncode == 0 and find(10002) == pid, done.stdout
