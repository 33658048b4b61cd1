# SPDX-License-Identifier: GPL-2.0-only
"""A page server that takes all pages and says in the end that it failed.

usage: failing-page-server.py
"""
import socket
import struct

listener = socket.create_server(('127.0.0.1', 27777))
print(flush=True)
sock = listener.accept()[0].makefile('rwb')
while True:
    command, _, pages, _, _ = struct.unpack('=IIQQQ', sock.read(32))
    if command == 4:
        sock.write(b'\0')
        sock.flush()
    elif command >> 16 & 4:
        sock.read(pages * 4096)
    elif command == 0x1023:
        sock.write(struct.pack('=i', -5))
        sock.flush()
        break
