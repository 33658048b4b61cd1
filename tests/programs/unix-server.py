# SPDX-License-Identifier: GPL-2.0-only
"""A server on a unix socket that welcomes each connection with its number.

usage: unix-server.py FOLDER; the socket is FOLDER/server
"""
import socket
import sys

sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
sock.bind(sys.argv[1] + '/server')
sock.listen()
held = []
while True:
    held.append(sock.accept()[0])
    held[-1].send(b'welcome %d' % len(held))
