# SPDX-License-Identifier: GPL-2.0-only
"""A process whose files, directories, mapping and socket lie below a folder, and which tells their names to who connects.

usage: paths.py FOLDER
"""
import mmap
import os
import socket
import sys

os.chdir(sys.argv[1] + '/inner')
data = open('../data', 'r+b')
area = mmap.mmap(data.fileno(), 4096)
read_only = open('../data', 'rb')
folder = os.open('..', os.O_RDONLY)
sock = socket.socket(socket.AF_UNIX)
sock.bind(sys.argv[1] + '/socket')
sock.listen()
sock.settimeout(0.1)
print('ready', flush=True)
while True:
    try:
        peer, _ = sock.accept()
    except TimeoutError:
        continue
    area[:5] = b'after'
    names = [os.getcwd(), *(os.readlink(f'/proc/self/fd/{fd}') for fd in (data.fileno(), read_only.fileno(), folder)), sock.getsockname()]
    peer.sendall(' '.join(names).encode())
    peer.close()
