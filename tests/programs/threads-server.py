# SPDX-License-Identifier: GPL-2.0-only
"""A server with a thread for each connection, nearly always blocked in recv().

usage: threads-server.py FOLDER CONNECTIONS; writes its port into FOLDER/port
"""
import os
import socket
import sys
import threading

folder, n = sys.argv[1], int(sys.argv[2])
listener = socket.create_server(("127.0.0.1", 0), backlog=n)
with open(folder + "/port.new", "w") as file:
    file.write(str(listener.getsockname()[1]))
os.rename(folder + "/port.new", folder + "/port")


def serve(connection):
    while data := connection.recv(65536):
        connection.sendall(data.upper())


for i in range(n):
    threading.Thread(target=serve, args=(listener.accept()[0],)).start()
