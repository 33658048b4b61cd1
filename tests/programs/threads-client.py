# SPDX-License-Identifier: GPL-2.0-only
"""A thread for each connection, which sends lines and checks the answers.

usage: threads-client.py PORT FOLDER CONNECTIONS; FOLDER/count is the smallest count, FOLDER/end says why one stopped
"""
import os
import socket
import sys
import threading
import time

port, folder, n = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
counts = [0] * n


def talk(i):
    connection = socket.create_connection(("127.0.0.1", port))
    stream = connection.makefile("rb")
    try:
        while True:
            text = b"message %d;" % counts[i] * (1 + counts[i] % 50) + b"\n"
            connection.sendall(text)
            if stream.readline() != text.upper():
                raise RuntimeError("wrong answer")
            counts[i] += 1
            time.sleep(0.02)
    except Exception as error:
        with open(folder + "/end", "a") as file:
            file.write(repr(error) + "\n")


for i in range(n):
    threading.Thread(target=talk, args=(i,), daemon=True).start()
while True:
    with open(folder + "/count.new", "w") as file:
        file.write(str(min(counts)))
    os.rename(folder + "/count.new", folder + "/count")
    time.sleep(0.02)
