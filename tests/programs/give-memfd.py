# SPDX-License-Identifier: GPL-2.0-only
"""Runs a command that inherits another memfd; "{}" in its last word is the number of the descriptor.

usage: give-memfd.py COMMAND...
"""
import os
import subprocess
import sys

fd = os.memfd_create('other', 0)
os.write(fd, b'the new content')
sys.exit(subprocess.call([*sys.argv[1:-1], sys.argv[-1].format(fd)], pass_fds=[fd]))
