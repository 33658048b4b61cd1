# SPDX-License-Identifier: GPL-2.0-only
"""A client of partner-outside.py: what it was greeted with stays unread; when FOLDER/go is there it tells what has become of its sockets.

usage: partner-inside.py KIND,KIND... FOLDER
With KIND "jail" FOLDER/jail is its root when it is connected, and where "go" is looked for.
"""
import array
import fcntl
import json
import os
import select
import signal
import socket
import struct
import sys
import termios
import time

kinds, folder = sys.argv[1].split(','), sys.argv[2]
jail = 'jail' in kinds
signal.signal(signal.SIGPIPE, signal.SIG_IGN)
os.chdir(folder)
places = {'stream': folder + '/stream', 'packets': folder + '/packets', 'abstract': '\0criu-test-partner', 'relative': folder + '/relative'}
sockets = {}
for kind in kinds:
    if kind == 'jail':
        continue
    s = sockets[kind] = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET if kind == 'packets' else socket.SOCK_STREAM)
    s.connect(places[kind])
    select.select([s], [], [])
    s.setblocking(False)
if 'packets' in kinds:      # the second one comes, too
    while struct.unpack('i', fcntl.ioctl(sockets['packets'], termios.FIONREAD, b'    '))[0] < 6:
        time.sleep(0.01)


def read(sock):
    """All that waits: the texts, what came with them, and how it ends."""
    texts, files = [], []
    while True:
        try:
            text, control, _, _ = sock.recvmsg(100, 100)
        except OSError as error:
            return texts, files, error.strerror
        for _, _, data in control:
            for fd in array.array('i', data[:4]):
                files.append(os.pread(fd, 100, 0).decode())
                os.close(fd)
        if not text:
            return texts, files, 'end'
        texts.append(text.decode())


def tell(sock):
    """What has become of it."""
    poll = select.poll()
    poll.register(sock, select.POLLIN | select.POLLOUT | select.POLLRDHUP)
    events = dict(poll.poll(0)).get(sock.fileno(), 0)
    texts, files, end = read(sock)
    try:
        sock.send(b'again')
        sent = 'sent'
    except OSError as error:
        sent = error.strerror
    return {'hangup': bool(events & select.POLLHUP), 'readable': bool(events & select.POLLIN), 'texts': texts, 'files': files, 'end': end,
            'sent': sent, 'nonblocking': not os.get_blocking(sock.fileno())}


with open('inside.new', 'w', encoding='utf-8') as file:
    file.write(str(os.getpid()))
os.rename('inside.new', 'inside')
if jail:
    os.mkdir('jail')
    os.chdir('jail')
    os.chroot('.')
while not os.path.exists('go'):
    time.sleep(0.01)
with open('told.new', 'w', encoding='utf-8') as file:
    json.dump({kind: tell(s) for kind, s in sockets.items()}, file)
os.rename('told.new', 'told')
signal.pause()
