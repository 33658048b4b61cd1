# SPDX-License-Identifier: GPL-2.0-only
"""Sends lines to a server that answers them in capitals, and checks each answer.

usage: lines-client.py FAMILY PORT
"""
import socket
import sys

family, port = int(sys.argv[1]), int(sys.argv[2])
connection = socket.create_connection(("127.0.0.1" if family == socket.AF_INET else "::1", port))
stream = connection.makefile("rwb", buffering=0)
for number in range(200):
    connection.sendall(b"line %d\n" % number)
    wanted = (b"hello " if number == 0 else b"") + b"LINE %d\n" % number
    got = stream.readline()
    if got != wanted:
        sys.exit("got %r, not %r" % (got, wanted))
connection.shutdown(socket.SHUT_WR)
if stream.read(1) != b"":
    sys.exit("no end")
print("fine")
