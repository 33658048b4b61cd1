# SPDX-License-Identifier: GPL-2.0-only
"""A process that traces its child, which holds a lock.

usage: tracer.py; the file "ready" has the pid of the child
"""
import ctypes
import fcntl
import os
import time

locked, tell = os.pipe()
child = os.fork()
if child == 0:
    os.close(locked)
    f = open('locked', 'w')
    fcntl.flock(f, fcntl.LOCK_EX)
    os.close(tell)
    time.sleep(1000)
libc = ctypes.CDLL(None)
os.close(tell)
os.read(locked, 1)
os.close(locked)
libc.ptrace(0x4206, child, 0, 0)
open('ready', 'w').write(str(child))
time.sleep(1000)
