# SPDX-License-Identifier: GPL-2.0-only
"""A server whose port is not free again at once: no SO_REUSEADDR, so what is left of a connection has the port.

usage: listen-without-reuse.py FOLDER; writes its port into FOLDER/listens
"""
import socket
import sys

listener = socket.socket()      # without SO_REUSEADDR: what is left of the connection has its port
listener.bind(("127.0.0.1", 0))
listener.listen()
with open(sys.argv[1] + "/listens", "w") as file:
    file.write(str(listener.getsockname()[1]))
connection, _ = listener.accept()
while data := connection.recv(65536):
    connection.sendall(data.upper())
