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
elif kind == "bound":
    listener = socket.socket(); listener.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"lo")
    listener.bind(("127.0.0.1", 0)); listener.listen()
    client = socket.create_connection(listener.getsockname())
elif kind.startswith("mptcp"):
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262); listener.bind(("127.0.0.1", 0)); listener.listen()
    client = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262); client.connect(listener.getsockname())
    if "+" not in kind: server = listener.accept()
elif kind == "express":
    express = socket.socket(44, socket.SOCK_RAW)
open(folder + "/inside", "w").close()
time.sleep(1000)
