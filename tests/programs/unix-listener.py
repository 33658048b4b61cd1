# SPDX-License-Identifier: GPL-2.0-only
"""A server on a unix socket that does not accept.

usage: unix-listener.py KIND FOLDER; the socket is FOLDER/server
"""
import socket
import sys
import time

kind, folder = sys.argv[1:]
listener = socket.socket(socket.AF_UNIX); listener.bind(folder + "/server"); listener.listen()
open(folder + "/inside", "w").close()
time.sleep(1000)
