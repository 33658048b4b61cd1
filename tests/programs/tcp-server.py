# SPDX-License-Identifier: GPL-2.0-only
"""A server that answers on one connection, in capitals.

usage: tcp-server.py FAMILY FOLDER; writes its port into FOLDER/port
"""
import os
import socket
import sys

family, folder = int(sys.argv[1]), sys.argv[2]
listener = socket.socket(family)
listener.bind(("127.0.0.1" if family == socket.AF_INET else "::1", 0))
listener.listen()
with open(folder + "/port.new", "w") as file:
    file.write(str(listener.getsockname()[1]))
os.rename(folder + "/port.new", folder + "/port")
connection, _ = listener.accept()
while True:
    data = connection.recv(65536)
    if not data:
        break
    connection.sendall(data.upper())
