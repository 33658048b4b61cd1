# SPDX-License-Identifier: GPL-2.0-only
"""Descriptors of many sorts: pipes and fifos with and without content, sockets of several families, with signal owners."""
import fcntl
import os
import signal
import socket
import sys
from pathlib import Path

folder = Path(sys.argv[1])
kept = []


def pipe(flags=0):
    """Both ends."""
    ends = os.pipe2(flags)
    for end in ends:
        os.set_inheritable(end, bool(len(kept) % 3))
    kept.extend(ends)
    return ends


for i in range(40):
    pipe()
for size in (4096, 8192, 300000, 1 << 20):
    fcntl.fcntl(pipe()[1], fcntl.F_SETPIPE_SZ, size)
for content in (b'x', b'y' * 5000):
    os.write(pipe()[1], content)
os.write(pipe(os.O_DIRECT | os.O_NONBLOCK)[1], b'packet')
reader, writer = pipe()
os.write(writer, b'read')
os.read(reader, 4)                      # empty again
os.close(pipe()[0])                     # no reader
reader, writer = pipe()
os.write(writer, b'left')
os.close(writer)                        # no writer
copies = [os.dup(kept[0]) for _ in range(5)]
again = os.open(f'/proc/self/fd/{kept[1]}', os.O_WRONLY | os.O_APPEND)
os.mkfifo(folder / 'fifo')
fifo = os.open(folder / 'fifo', os.O_RDWR)
os.write(fifo, b'waiting')
os.fchown(kept[2], 1, 2)
for i, (command, value) in enumerate(((fcntl.F_SETOWN, os.getpid()), (fcntl.F_SETSIG, signal.SIGURG))):
    fcntl.fcntl(kept[8 + 2 * i], command, value)
for family, kind in ((socket.AF_UNIX, socket.SOCK_STREAM), (socket.AF_UNIX, socket.SOCK_DGRAM), (socket.AF_INET, socket.SOCK_DGRAM),
                     (socket.AF_INET, socket.SOCK_STREAM), (socket.AF_NETLINK, socket.SOCK_RAW)):
    for flags in (0, socket.SOCK_NONBLOCK, socket.SOCK_CLOEXEC):
        kept.append(socket.socket(family, kind | flags))
owned = socket.socketpair()
fcntl.fcntl(owned[0], fcntl.F_SETOWN, os.getpid())
os.fchown(owned[1].fileno(), 3, 4)
files = [os.open('/etc/passwd', os.O_RDONLY), os.open(folder, os.O_PATH), os.eventfd(7), os.open('/dev/null', os.O_RDWR)]
(folder / 'inside').write_text(str(len(os.listdir('/proc/self/fd'))))
while True:
    signal.pause()
