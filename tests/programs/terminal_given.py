# SPDX-License-Identifier: GPL-2.0-only
"""Runs inside a room: a program on somebody else's terminal is restored on another one that the user gives."""
import fcntl
import os
import select
import subprocess
import sys
import termios
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'run'))
from room import wait_until_it_reads      # noqa: E402 pylint: disable=wrong-import-position


def answer(master, text, wanted=None):
    """What comes back for a line."""
    os.write(master, text.encode())
    said, end = '', time.monotonic() + 60
    while f'got {wanted or text.strip()}' not in said:
        ready, _, _ = select.select([master], [], [], max(0, end - time.monotonic()))
        assert ready, f'no answer, only {said!r}'
        said += os.read(master, 4096).decode()


def call(criu, command, images, *options, **more):
    """Runs criu; returns status and log."""
    done = subprocess.run([criu, command, '-D', images, '-v4', '-o', f'{command}.log', *options], check=False, **more)
    with open(f'{images}/{command}.log', encoding='utf-8') as file:
        return done.returncode, file.read()


def main():
    """The whole story."""
    criu, folder = sys.argv[1:]
    images = f'{folder}/images'
    os.mkdir(images)
    master, slave = os.openpty()
    child = subprocess.Popen(['bash', '-c', 'trap "echo got interrupted" INT; while :; do read line && echo got $line; done'], stdin=slave,
                             stdout=slave, stderr=slave, start_new_session=True, preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
    st = os.fstat(slave)
    key = f'tty[{st.st_rdev:x}:{st.st_dev:x}]'
    answer(master, 'one\n')

    status, log = call(criu, 'dump', images, '-t', str(child.pid))
    assert status != 0 and '--shell-job' in log and key in log, log
    answer(master, 'two\n')
    status, log = call(criu, 'dump', images, '-t', str(child.pid), '--external', key)
    assert status == 0, log
    child.wait()
    status, log = call(criu, 'restore', images, '-d')
    assert status != 0 and key in log, log

    other_master, other_slave = os.openpty()
    status, log = call(criu, 'restore', images, '-d', '--inherit-fd', f'fd[{other_slave}]:{key}', pass_fds=[other_slave])
    assert status == 0, log
    answer(other_master, 'three\n')
    # The terminal was free, so it became the controlling one of the session, with its leader in the foreground.
    wait_until_it_reads(child.pid)
    answer(other_master, '\003', 'interrupted')
    with open(f'/proc/{child.pid}/stat', encoding='ascii') as file:
        session, terminal, foreground = file.read().rsplit(')', 1)[1].split()[3:6]
    assert (session, foreground) == (str(child.pid), str(child.pid)) and terminal != '0', (session, terminal, foreground)
    os.kill(child.pid, 9)
    print('all well')


main()
