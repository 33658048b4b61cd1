# SPDX-License-Identifier: GPL-2.0-only
"""A tree that is in the way of a dump in many ways, one of its two processes in epoll_wait().

usage: obstacles-and-wait.py; files in its directory: "ready", and "woken" when the wait has ended
"""
import ctypes
import fcntl
import os
import select
import socket
import sys
import time

listener = socket.create_server(('127.0.0.1', 0))
clients = [socket.create_connection(listener.getsockname()) for _ in range(7)]
servers = [listener.accept()[0] for _ in range(7)]
locked = open('locked', 'w')
fcntl.flock(locked, fcntl.LOCK_EX)
gone = open('gone', 'w')
gone.write('x' * 3000000)
gone.flush()
os.unlink('gone')
linked = open('linked', 'w')
os.link('linked', 'linked2')
os.unlink('linked')
libc = ctypes.CDLL(None, use_errno=True)
ring = libc.syscall(425, 8, ctypes.create_string_buffer(120))
libc.syscall(427, ring, 2, (ctypes.c_int * 4)(-1, -1, -1, -1), 4)     # IORING_REGISTER_FILES
libc.syscall(427, ring, 25, (ctypes.c_uint * 4)(1, 2), 0)     # IORING_REGISTER_FILE_ALLOC_RANGE
poll = select.epoll()
poll.register(os.pipe()[0], select.EPOLLIN)
if os.fork() == 0:
    os.setsid()
    open('ready', 'w').write(str(ring))
    libc.epoll_wait(poll.fileno(), ctypes.create_string_buffer(64), 1, -1)
    open('woken', 'w').close()
    sys.exit()
time.sleep(1000)
