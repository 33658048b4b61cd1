# SPDX-License-Identifier: GPL-2.0-only
"""A client of unix-server.py, which reads once more when FOLDER/go is there.

usage: unix-client.py FOLDER
"""
import os
import socket
import sys
import time

sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
sock.connect(sys.argv[1] + '/server')
print(sock.recv(100).decode(), flush=True)
while not os.path.exists(sys.argv[1] + '/go'):
    time.sleep(0.01)
print(sock.recv(100).decode(), flush=True)
