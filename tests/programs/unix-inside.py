# SPDX-License-Identifier: GPL-2.0-only
"""A client of unix-outside.py, which sends when FOLDER/speak is there.

usage: unix-inside.py stream|datagram FOLDER
"""
import os
import socket
import sys
import time

kind, folder = sys.argv[1], sys.argv[2]
s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM if kind == "stream" else socket.SOCK_DGRAM)
s.connect(folder + "/" + kind)
with open(folder + "/inside", "w") as file:
    file.write(str(os.fstat(s.fileno()).st_ino))
while True:
    if os.path.exists(folder + "/speak"):
        os.unlink(folder + "/speak")
        s.send(b"spoken")
    time.sleep(0.01)
