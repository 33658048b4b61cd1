#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""A child with so many MiB of shared memory, to which its parent writes as well ('others'), or which that has unmapped ('alone').

usage: share-memory.py READY MIB alone|others

READY gets the pid of the child.
"""
import mmap
import os
import sys
import time
from pathlib import Path

ready, size, who = Path(sys.argv[1]), int(sys.argv[2]) << 20, sys.argv[3]
memory = mmap.mmap(-1, size)
for at in range(0, size, 4096):
    memory[at] = 1
if os.fork():
    while who == 'others':
        memory[4096] = (memory[4096] + 1) % 256
        time.sleep(0.001)
    memory.close()
    while True:
        time.sleep(1)
os.setsid()
done = ready.with_suffix('.new')
done.write_text(str(os.getpid()))
done.rename(ready)
while True:
    memory[0] = (memory[0] + 1) % 256
    time.sleep(0.001)
