# SPDX-License-Identifier: GPL-2.0-only
"""A process with a child that is the first of a pid namespace, and is killed, but cannot end: its own child, dead, is traced and not reaped.

usage: hold-dying-child.py FOLDER; FOLDER/pids has the three pids; FOLDER/go: the tracer lets go
"""
import ctypes
import os
import signal
import subprocess
import sys
import time

SEIZE = 0x4206
folder = sys.argv[1]
libc = ctypes.CDLL(None, use_errno=True)


def first_child(pid):
    """Waits for it."""
    while True:
        with open(f'/proc/{pid}/task/{pid}/children', encoding='ascii') as file:
            pids = file.read().split()
        if pids:
            return int(pids[0])
        time.sleep(0.01)


def state(pid):
    """One letter."""
    with open(f'/proc/{pid}/stat', encoding='ascii') as file:
        return file.read().rsplit(')', 1)[1].split()[0]


# setsid: a tree of its own, of which this tracer is no part.
root = subprocess.Popen(['setsid', 'unshare', '-p', '-f', 'sh', '-c', 'sleep 1000 & while :; do sleep 1000; done'], stdin=subprocess.DEVNULL,
                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
inner = first_child(root.pid)
child = first_child(inner)
assert libc.ptrace(SEIZE, child, 0, 0) == 0, ctypes.get_errno()
os.kill(inner, signal.SIGKILL)
while state(child) != 'Z':
    time.sleep(0.01)
with open(folder + '/pids.new', 'w', encoding='ascii') as file:
    file.write(f'{root.pid} {inner} {child}')
os.rename(folder + '/pids.new', folder + '/pids')
while not os.path.exists(folder + '/go'):
    time.sleep(0.01)
os.waitpid(child, 0x40000000)
root.wait()
