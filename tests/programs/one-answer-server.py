# SPDX-License-Identifier: GPL-2.0-only
"""A server that answers once on each connection.

usage: one-answer-server.py FOLDER; writes its port into FOLDER/port
"""
import os
import socket
import sys

folder = sys.argv[1]
listener = socket.create_server(("127.0.0.1", 0), backlog=64)
with open(folder + "/port.new", "w") as file:
    file.write(str(listener.getsockname()[1]))
os.rename(folder + "/port.new", folder + "/port")
while True:
    connection = listener.accept()[0]
    connection.sendall(connection.recv(100).upper())
    connection.close()
