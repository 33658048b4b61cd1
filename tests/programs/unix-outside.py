# SPDX-License-Identifier: GPL-2.0-only
"""The server outside of a tree: a stream and a datagram socket that tell what comes.

usage: unix-outside.py FOLDER
"""
import socket
import sys

folder = sys.argv[1]
stream = socket.socket(socket.AF_UNIX); stream.bind(folder + "/stream"); stream.listen()
datagram = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); datagram.bind(folder + "/datagram"); datagram.settimeout(0.1)
open(folder + "/outside", "w").close()
connections = []
stream.settimeout(0.1)
while True:
    try:
        connections.append(stream.accept()[0])
        with open(folder + "/accepted", "a") as file:
            file.write("x")
    except socket.timeout:
        pass
    try:
        text = datagram.recv(100).decode()
        with open(folder + "/datagrams", "a") as file:
            file.write(text + ";")
    except socket.timeout:
        pass
