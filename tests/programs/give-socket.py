# SPDX-License-Identifier: GPL-2.0-only
"""Runs a command that inherits one end of a socket pair as descriptor 77, and talks to who has it afterwards.

usage: give-socket.py FOLDER stream|datagram COMMAND...
"""
import os
import socket
import subprocess
import sys

folder, kind, *command = sys.argv[1:]
mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM if kind == "stream" else socket.SOCK_DGRAM)
os.dup2(theirs.fileno(), 77)
assert subprocess.call(command, pass_fds=[77]) == 0
theirs.close()
mine.settimeout(60)
mine.send(b"hello")
print(mine.recv(100).decode())
