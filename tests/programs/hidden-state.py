# SPDX-License-Identifier: GPL-2.0-only
"""A process with state that nobody can read: undo of semaphores, keys, a directory and a message queue it is told about.

usage: hidden-state.py; says "ready"
"""
import ctypes
import fcntl
import os
import time

libc = ctypes.CDLL(None, use_errno=True)
call = libc.syscall
semaphores = libc.semget(0, 1, 0o600)
assert libc.semop(semaphores, (ctypes.c_short * 3)(0, 1, 0x1000), 1) == 0
assert call(250, 1, None) > 0                   # keyctl(KEYCTL_JOIN_SESSION_KEYRING)
for keyring in (-1, -2, -3):
    assert call(248, b'user', b'secret', b'text', 4, keyring) > 0       # add_key
folder = os.open('.', os.O_RDONLY)
fcntl.fcntl(folder, fcntl.F_NOTIFY, fcntl.DN_CREATE | fcntl.DN_MULTISHOT)
queue = libc.mq_open(b'/hidden-state', os.O_WRONLY | os.O_CREAT, 0o600, None)
event = (ctypes.c_int * 16)(0, 0, 10, 0)        # struct sigevent: SIGUSR1
assert libc.mq_notify(queue, event) == 0 and libc.mq_unlink(b'/hidden-state') == 0
os.write(1, b'ready')
while True:
    time.sleep(1)
