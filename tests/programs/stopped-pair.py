# SPDX-License-Identifier: GPL-2.0-only
"""Two stopped processes with private and shared memory.

usage: stopped-pair.py
"""
import mmap
import os
import signal

private = mmap.mmap(-1, 4 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
shared = mmap.mmap(-1, 1 << 20)
for at in range(0, 4 << 20, 3 * 4096):
    private[at] = 1
for at in range(0, 1 << 19, 4096):
    shared[at] = 2
if not os.fork():
    private[4096] = 7
    os.kill(os.getpid(), signal.SIGSTOP)
print(flush=True)
os.kill(os.getpid(), signal.SIGSTOP)
