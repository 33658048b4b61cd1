# SPDX-License-Identifier: GPL-2.0-only
"""Slow web servers in a network namespace of their own, which the test furnishes; many clients wait for accept(2).

usage: web-in-namespace.py FOLDER direct|PROGRAM...; makes FOLDER/apart, waits for FOLDER/go. Either listens on port 80
itself, one client at a time, and makes FOLDER/listens, or runs the programs (each a word with blanks) and waits.
"""
import ctypes
import os
import socket
import subprocess
import sys
import time

folder, programs = sys.argv[1], sys.argv[2:]
if ctypes.CDLL(None).unshare(0x40000000):
    raise OSError("unshare")
open(folder + "/apart", "w").close()
while not os.path.exists(folder + "/go"):
    time.sleep(0.01)
if programs != ["direct"]:
    for child in [subprocess.Popen(program.split()) for program in programs]:
        child.wait()
listener = socket.create_server(("10.77.0.2", 80), backlog=100)
open(folder + "/listens", "w").close()
while True:
    connection = listener.accept()[0]
    asked = connection.recv(65536)
    time.sleep(0.05)
    try:
        connection.sendall(b"HTTP/1.0 200 OK\r\n\r\nanswer to " + asked.split()[1])
    except (OSError, IndexError):
        pass  # it was closed
    connection.close()
