# SPDX-License-Identifier: GPL-2.0-only
"""A child with one end of a socket pair, whose other end its parent outside has.

usage: socketpair-outside.py FOLDER stream|datagram
"""
import os
import socket
import sys
import time

folder = sys.argv[1]
inside, outside = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM if sys.argv[2] == "stream" else socket.SOCK_DGRAM)
if os.fork() == 0:
    outside.close()
    os.setsid()
    with open(folder + "/inside", "w") as file:
        file.write(f"{os.getpid()} {os.fstat(inside.fileno()).st_ino}")
    while True:
        text = inside.recv(100)
        if not text:
            time.sleep(0.01)
            continue
        inside.send(b"<" + text + b">")
        with open(folder + "/heard", "ab") as file:
            file.write(text)
inside.close()
os.wait()
time.sleep(1000)
