# SPDX-License-Identifier: GPL-2.0-only
"""Connects to a server on a unix socket, and waits.

usage: unix-knock.py FOLDER; the socket is FOLDER/server
"""
import socket
import sys
import time

client = socket.socket(socket.AF_UNIX); client.connect(sys.argv[1] + "/server")
open(sys.argv[1] + "/outside", "w").close()
time.sleep(1000)
