# SPDX-License-Identifier: GPL-2.0-only
"""A page server that ends after so many bytes.

usage: deaf-page-server.py BYTES
"""
import socket
import sys

listener = socket.create_server(('127.0.0.1', 27777))
print(flush=True)
with listener.accept()[0] as sock:
    sock.sendall(b"\0")
    left = int(sys.argv[1])
    while left:
        left -= len(sock.recv(min(left, 4096)))
