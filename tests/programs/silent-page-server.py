# SPDX-License-Identifier: GPL-2.0-only
"""A page server that accepts, reads so many bytes, and is silent.

usage: silent-page-server.py BYTES
"""
import socket
import sys
import time

with socket.create_server(('127.0.0.1', 27777)) as listener:
    print(flush=True)
    with listener.accept()[0] as sock:
        left = int(sys.argv[1])
        if left:
            sock.sendall(b'\0')
        while left > 0:
            left -= len(sock.recv(min(left, 4096)))
        print(flush=True)
        time.sleep(1000)
