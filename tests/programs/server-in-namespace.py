# SPDX-License-Identifier: GPL-2.0-only
"""A server in a network namespace of its own, which the test furnishes.

usage: server-in-namespace.py FOLDER; makes FOLDER/apart, waits for FOLDER/go, makes FOLDER/listens
"""
import ctypes
import os
import socket
import sys
import time

folder = sys.argv[1]
if ctypes.CDLL(None).unshare(0x40000000):
    raise OSError("unshare")
open(folder + "/apart", "w").close()
while not os.path.exists(folder + "/go"):
    time.sleep(0.01)
listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind(("10.77.0.2", 4000))
listener.listen()
open(folder + "/listens", "w").close()
while True:
    connection, _ = listener.accept()
    while True:
        data = connection.recv(65536)
        if not data:
            break
        connection.sendall(data.upper())
