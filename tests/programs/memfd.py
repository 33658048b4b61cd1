# SPDX-License-Identifier: GPL-2.0-only
"""A process with a memfd that it has mapped; says what is in both when a file is there.

usage: memfd.py GO
"""
import mmap
import os
import sys
import time

fd = os.memfd_create('given')
os.write(fd, b'the old content')
memory = mmap.mmap(fd, 15)
os.write(1, b'ready\n')
while not os.path.exists(sys.argv[1]):
    time.sleep(0.01)
os.write(1, os.pread(fd, 99, 0) + b', ' + memory[:15])
