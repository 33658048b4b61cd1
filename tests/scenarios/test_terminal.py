# SPDX-License-Identifier: GPL-2.0-only
"""Programs that were started from a shell and go on in another terminal."""
import os
import shutil
import sys

import pytest

from room import PROGRAMS


def test_shell_job(room, criu, folder):
    """A job with its own settings of the terminal, dumped and restored twice, then interrupted from the keyboard."""
    done = room.run(sys.executable, PROGRAMS / 'shell_job.py', criu, folder / 'job')
    assert done.returncode == 0 and 'all well' in done.stdout, done.stdout


def test_given_terminal(room, criu, folder):
    """--external tty[..] at the dump, --inherit-fd at the restore; refused with both ways out otherwise."""
    done = room.run(sys.executable, PROGRAMS / 'terminal_given.py', criu, folder)
    assert done.returncode == 0 and 'all well' in done.stdout, done.stdout


def test_foreign_pty(room, criu, folder):
    """orphan_pts_master is for terminals of the tree's own devpts: with one of the host the restore could not succeed."""
    done = room.run(sys.executable, PROGRAMS / 'foreign_pty.py', criu, folder)
    assert done.returncode == 0, done.stdout


def test_orphan_master(room, criu, folder):
    """A client of the service gets the master of a terminal whose slave alone was in the tree."""
    done = room.run(sys.executable, PROGRAMS / 'orphan_master.py', criu, folder)
    assert done.returncode == 0 and 'all well' in done.stdout, done.stdout


@pytest.mark.skipif(not shutil.which('tmux') or not shutil.which('top'), reason='no tmux or no top is installed')
def test_tmux(room, criu, folder):
    """A tmux server with two shells and a running top, dumped from outside, restored, attached to again and used on, twice."""
    done = room.run(sys.executable, PROGRAMS / 'tmux_server.py', criu, folder, env={**os.environ, 'LC_ALL': 'C.UTF-8'})
    assert done.returncode == 0 and 'all well' in done.stdout, done.stdout
