# SPDX-License-Identifier: GPL-2.0-only
"""A process in epoll_wait() whose child traces a child of its own.

usage: tracer-and-wait.py; files in its directory: "ready", and "woken" when the wait has ended
"""
import ctypes
import os
import time

libc = ctypes.CDLL(None, use_errno=True)
poll = libc.epoll_create1(0)
tracer = os.fork()
if tracer == 0:
    traced = os.fork()
    if traced == 0:
        time.sleep(1000)
    libc.ptrace(0x4206, traced, 0, 0)
    open('ready', 'w').write(str(os.getpid()))
    time.sleep(1000)
while True:
    if libc.epoll_wait(poll, ctypes.create_string_buffer(64), 1, -1) < 0:
        open('woken', 'a').write(os.strerror(ctypes.get_errno()))
