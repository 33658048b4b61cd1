# SPDX-License-Identifier: GPL-2.0-only
"""Runs inside a room: a tree with a devpts of its own has inherited a terminal of the host, as with runc run -d from a shell."""
import os
import pty
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'run'))
from rpc import start_swrk      # noqa: E402 pylint: disable=wrong-import-position

CONTAINER = 'mount -t devpts -o newinstance,ptmxmode=666 devpts /dev/pts && exec setsid --fork sh -c "echo \\$\\$ > pid; exec sleep 1000"'


def dump(criu, images, pid, **more):
    """The reply to a request as engines send it."""
    Path(images).mkdir()
    with start_swrk(criu) as client:
        return client.call('DUMP', {'images_dir_fd': -1, 'images_dir': images, 'pid': pid, 'log_level': 4, 'log_file': 'dump.log', 'root': '/',
                                    'orphan_pts_master': True, 'notify_scripts': True, **more})


def main(criu, folder):
    """Refused with the way out, and nothing is killed."""
    os.chdir(folder)
    master, slave = pty.openpty()
    subprocess.run(['unshare', '-m', 'sh', '-c', CONTAINER], stdin=slave, stdout=subprocess.DEVNULL, stderr=slave, check=True)
    while not Path('pid').exists() or not Path('pid').read_text():
        time.sleep(0.01)
    pid = int(Path('pid').read_text())
    reply = dump(criu, folder + '/first', pid)
    assert not reply['success'] and '--shell-job' in reply['cr_errmsg'] and 'descriptor 0' in reply['cr_errmsg'], reply
    assert Path(f'/proc/{pid}/stat').read_text().rsplit(')', 1)[1].split()[0] == 'S'
    os.kill(pid, 9)
    os.close(master)


main(*sys.argv[1:])
