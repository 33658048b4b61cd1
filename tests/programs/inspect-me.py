# SPDX-License-Identifier: GPL-2.0-only
"""Has what criu inspect tells: a listener at descriptor 40, shared memory. Writes its port into the file that it is given."""
import mmap
import os
import signal
import socket
import sys

listener = socket.socket()
listener.bind(('127.0.0.1', 0))
listener.listen()
os.dup2(listener.fileno(), 40)
shared = mmap.mmap(-1, 12345678)
with open(sys.argv[1], 'w', encoding='ascii') as file:
    file.write(str(listener.getsockname()[1]))
signal.pause()
