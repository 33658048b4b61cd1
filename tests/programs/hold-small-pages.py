# SPDX-License-Identifier: GPL-2.0-only
"""Holds memory in small pages of which each page is known: READY GO MIB WHAT. Until GO appears it does WHAT: wait; fork (children
that check what they have got and write to it); direct (it waits, and has a file open that is read into memory past its page
tables). Then it checks all pages, and ends."""
import mmap
import os
import random
import sys
import time

ready, go, size, what = sys.argv[1:]
PAGE = mmap.PAGESIZE
pages = (int(size) << 20) // PAGE
memory = mmap.mmap(-1, pages * PAGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
memory.madvise(15)        # MADV_NOHUGEPAGE
versions = [0] * pages


def write(i, version):
    """The page of this number is of this version."""
    versions[i] = version
    memory[i * PAGE:i * PAGE + 16] = i.to_bytes(8, 'little') + version.to_bytes(8, 'little')


def check(i):
    """It is as it was written."""
    if memory[i * PAGE:i * PAGE + 16] != i.to_bytes(8, 'little') + versions[i].to_bytes(8, 'little'):
        print('page', i, 'is not as it was', flush=True)


def fork_one():
    """Parent and child write to the same pages, and each has its own."""
    some = random.sample(range(pages), 64)
    child = os.fork()
    if not child:
        for i in some:
            check(i)
            write(i, 0)
        os._exit(0)
    for i in some:
        write(i, versions[i] + 1)
    os.waitpid(child, 0)
    for i in some:
        check(i)


for number in range(pages):
    write(number, 1)
direct = os.open(sys.executable, os.O_RDONLY | os.O_DIRECT) if what == 'direct' else -1
with open(ready, 'w', encoding='ascii'):
    pass
while not os.path.exists(go):
    if what == 'fork':
        fork_one()
    else:
        time.sleep(0.001)
for number in range(pages):
    check(number)
