# SPDX-License-Identifier: GPL-2.0-only
"""A program of an ordinary user with files, a deleted file, a socket and a child; writes a line each time it is told to."""
import os
import signal
import socket
import sys
import time

os.chdir(sys.argv[1])
kept = open('kept', 'w+')                       # pylint: disable=consider-using-with
gone = open('gone', 'w+')                       # pylint: disable=consider-using-with
gone.write('still here')
gone.flush()
os.unlink('gone')
listener = socket.socket(socket.AF_UNIX)
listener.bind('socket')
listener.listen()
pair = socket.socketpair()
child = os.fork()
if not child:
    while True:
        signal.pause()


def tell(*_):
    """Proves that all is there."""
    gone.seek(0)
    pair[0].send(b'x')
    kept.write(f'{gone.read()} {pair[1].recv(9).decode()} {os.getuid()} {os.path.exists(f"/proc/{child}")}\n')
    kept.flush()


signal.signal(signal.SIGUSR1, tell)
with open('ready', 'w') as ready:
    ready.write('yes')
while True:
    time.sleep(1000)
