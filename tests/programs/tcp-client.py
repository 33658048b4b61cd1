# SPDX-License-Identifier: GPL-2.0-only
"""Sends texts to a server that answers them in capitals, and checks each answer.

usage: tcp-client.py ADDRESS PORT FOLDER; FOLDER/count is how many were right, FOLDER/end says why it stopped
"""
import os
import socket
import sys
import time

address, port, folder = sys.argv[1], int(sys.argv[2]), sys.argv[3]
connection = socket.create_connection((address, port))
count = 0
try:
    while True:
        text = ("message %d;" % count).encode() * (1 + count % 500)
        connection.sendall(text)
        got = b""
        while len(got) < len(text):
            part = connection.recv(65536)
            if not part:
                raise RuntimeError("the server has closed")
            got += part
        if got != text.upper():
            raise RuntimeError("wrong answer")
        count += 1
        with open(folder + "/count.new", "w") as file:
            file.write(str(count))
        os.rename(folder + "/count.new", folder + "/count")
        time.sleep(0.001)
except Exception as error:
    with open(folder + "/end", "w") as file:
        file.write(repr(error))
