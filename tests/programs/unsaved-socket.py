# SPDX-License-Identifier: GPL-2.0-only
"""A process with a socket of a kind that is in the way of a dump.

usage: unsaved-socket.py KIND FOLDER
"""
import socket
import sys
import time

kind, folder = sys.argv[1], sys.argv[2]
if kind == "tcp":
    listener = socket.socket(); listener.bind(("127.0.0.1", 0)); listener.listen()
    client = socket.create_connection(listener.getsockname())
elif kind == "mptcp":
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262)
elif kind == "express":
    express = socket.socket(44, socket.SOCK_RAW)
open(folder + "/inside", "w").close()
time.sleep(1000)
