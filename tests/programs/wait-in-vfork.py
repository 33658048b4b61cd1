# SPDX-License-Identifier: GPL-2.0-only
"""A parent that cannot be stopped: it waits in vfork() for a child that waits for somebody to open a fifo.

usage: wait-in-vfork.py, where there is a fifo of the name "fifo"
"""
import os

os.posix_spawn('/bin/true', ['true'], {}, file_actions=[(os.POSIX_SPAWN_OPEN, 0, 'fifo', os.O_RDONLY, 0)])
