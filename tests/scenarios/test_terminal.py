# SPDX-License-Identifier: GPL-2.0-only
"""Programs that were started from a shell and go on in another terminal."""
import sys
from pathlib import Path


def test_shell_job(room, criu, folder):
    """A job with its own settings of the terminal, dumped and restored twice, then interrupted from the keyboard."""
    done = room.run(sys.executable, Path(__file__).parent / 'inside/shell_job.py', criu, folder / 'job')
    assert done.returncode == 0 and 'all well' in done.stdout, done.stdout


def test_given_terminal(room, criu, folder):
    """--external tty[..] at the dump, --inherit-fd at the restore; refused with both ways out otherwise."""
    done = room.run(sys.executable, Path(__file__).parent / 'inside/terminal_given.py', criu, folder)
    assert done.returncode == 0 and 'all well' in done.stdout, done.stdout


def test_orphan_master(room, criu, folder):
    """A client of the service gets the master of a terminal whose slave alone was in the tree."""
    done = room.run(sys.executable, Path(__file__).parent / 'inside/orphan_master.py', criu, folder)
    assert done.returncode == 0 and 'all well' in done.stdout, done.stdout
