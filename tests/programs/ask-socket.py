# SPDX-License-Identifier: GPL-2.0-only
"""Prints what a unix socket says.

usage: ask-socket.py SOCKET
"""
import socket
import sys

sock = socket.socket(socket.AF_UNIX)
sock.connect(sys.argv[1])
print(sock.recv(1000).decode())
