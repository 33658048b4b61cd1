# SPDX-License-Identifier: GPL-2.0-only
"""Connects once, and says what became of it.

usage: call-server.py SECONDS
"""
import socket
import sys

client = socket.socket()
client.settimeout(float(sys.argv[1]))
try:
    client.connect(("10.77.0.2", 4000))
    client.sendall(b"hello")
    print(client.recv(10).decode())
except TimeoutError:
    print("waits")
except OSError as error:
    print(error)
