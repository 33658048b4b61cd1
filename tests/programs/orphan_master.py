# SPDX-License-Identifier: GPL-2.0-only
"""Runs inside a room: a session on the slave of a pty is restored by a request; the client gets the master of its new terminal. Twice."""
import fcntl
import os
import pty
import select
import struct
import sys
import termios
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'run'))
from room import wait_until_it_reads      # noqa: E402 pylint: disable=wrong-import-position
from rpc import start_swrk      # noqa: E402 pylint: disable=wrong-import-position

JOB = 'trap "echo interrupted" INT; stty -echo erase ^X rows 33 cols 99; echo ready; while :; do read line && echo got $line $(stty size); done'


def expect(master, wanted):
    """Reads until the text comes."""
    said, end = '', time.monotonic() + 60
    while wanted not in said:
        ready, _, _ = select.select([master], [], [], max(0, end - time.monotonic()))
        assert ready, f'"{wanted}" does not come, only {said!r}'
        said += os.read(master, 4096).decode()
    return said


def request(criu, kind, images, **more):
    """One request with notifications; the client with what it was told, and the reply."""
    with start_swrk(criu) as client:
        reply = client.call(kind, {'images_dir': images, 'log_level': 4, 'log_file': kind.lower() + '.log', 'notify_scripts': True, **more})
    return client, reply


def check(job, master):
    """The terminal works: input, output, size, the controlling terminal's interrupt."""
    os.write(master, b'a line\n')
    said = expect(master, 'got a line 33 99')
    assert said.count('a line') == 1, f'it echoes: {said!r}'
    wait_until_it_reads(job)
    os.write(master, b'\003')
    expect(master, 'interrupted')
    assert struct.unpack('HHHH', fcntl.ioctl(master, termios.TIOCGWINSZ, bytes(8)))[:2] == (33, 99)


def main():
    """The whole story."""
    criu, folder = sys.argv[1:]
    job, master = pty.fork()
    if job == 0:
        os.execvp('bash', ['bash', '-c', JOB])
    expect(master, 'ready')
    check(job, master)
    for number in range(2):
        images = f'{folder}/{number}'
        os.mkdir(images)
        if number == 0:
            _, reply = request(criu, 'DUMP', images, pid=job)
            assert not reply['success'], 'a terminal of somebody else must be refused'
        _, reply = request(criu, 'DUMP', images, pid=job, orphan_pts_master=True)
        assert reply['success'], Path(f'{images}/dump.log').read_text()
        if number == 0:
            os.waitpid(job, 0)
        os.close(master)
        client, reply = request(criu, 'RESTORE', images, orphan_pts_master=True)
        assert reply['success'], Path(f'{images}/restore.log').read_text()
        assert [script for script, _ in client.told] == ['pre-restore', 'orphan-pts-master', 'post-restore', 'pre-resume', 'post-resume'], client.told
        master = client.passed['orphan-pts-master']
        check(job, master)
    os.close(master)
    time.sleep(0.2)
    print('all well')


main()
