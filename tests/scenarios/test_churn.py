# SPDX-License-Identifier: GPL-2.0-only
"""Trees whose processes and threads come and end while they are stopped."""
import os
import shutil

from room import PROGRAMS, wait_until


def test_dump_of_the_restless(subject):
    """Every dump of a program that starts and reaps processes and threads all the time succeeds, and harms nothing."""
    run = subject('tree/churn')
    (run.control / 'churn').touch()
    for _ in range(30):
        shutil.rmtree(run.dump('--leave-running'))
    for _ in range(3):
        images = run.dump()
        run.await_gone()
        run.restore(images)
    run.release()


def test_dump_of_those_who_die_with_threads(room, criu, folder, build):
    """A process can end when some of its threads have been attached to, and its main thread not yet."""
    pid = room.start('/dev/null', build / 'tests/programs/die-with-threads', cwd=folder)
    for number in range(100):
        images = folder / 'images'
        images.mkdir()
        done = room.run(criu, 'dump', '-t', pid, '-D', images, '-R', '-o', 'log')
        assert done.returncode == 0, f'dump {number}: status {done.returncode}, {(images / "log").read_text()}'
        shutil.rmtree(images)
    room.kill([pid])


def test_threads_that_execute(room, criu, folder):
    """execve(2) by a thread replaces the main one. It waits for all others, which the tracer has to reap; on a busy machine, for long."""
    pid = room.start('/dev/null', '/usr/bin/python3', '-S', '-E', PROGRAMS / 'execute-again.py', cwd=folder)
    load = [room.start('/dev/null', '/bin/sh', '-c', 'while :; do :; done') for _ in range(2 * os.cpu_count())]
    wait_until((folder / 'lives').exists, 20, 'it does not begin')
    for number in range(20):
        (folder / 'images').mkdir()
        done = room.run(criu, 'dump', '-t', pid, '-D', folder / 'images', '-R', '-o', 'log')
        assert done.returncode == 0, f'dump {number}: {(folder / "images/log").read_text()}'
        shutil.rmtree(folder / 'images')
        lives = (folder / 'lives').stat().st_size
        wait_until(lambda: (folder / 'lives').stat().st_size > lives + 1, 20, f'it does not run any more after dump {number}')     # pylint: disable=cell-var-from-loop
    room.kill(load)
    room.kill([pid])
