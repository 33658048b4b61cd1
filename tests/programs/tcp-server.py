# SPDX-License-Identifier: GPL-2.0-only
"""A server that answers on one connection, in capitals. Or one that says hello and reads nothing: all that comes stays in the queue.

usage: tcp-server.py FAMILY FOLDER [silent]; writes its port into FOLDER/port; of a silent one the connection is its descriptor 50
"""
import os
import socket
import sys
import time

family, folder = int(sys.argv[1]), sys.argv[2]
listener = socket.socket(family)
listener.bind(("127.0.0.1" if family == socket.AF_INET else "::1", 0))
listener.listen()
with open(folder + "/port.new", "w") as file:
    file.write(str(listener.getsockname()[1]))
os.rename(folder + "/port.new", folder + "/port")
connection, _ = listener.accept()
if "silent" in sys.argv:
    connection.sendall(b"hello ")
    os.dup2(connection.fileno(), 50)
    open(folder + "/accepted", "w").close()
    time.sleep(1000)
while True:
    data = connection.recv(65536)
    if not data:
        break
    connection.sendall(data.upper())
