# SPDX-License-Identifier: GPL-2.0-only
"""Writes to journald as a service does: "first" at once, "second" when FOLDER/go is there.

usage: journal-inside.py PLACE FOLDER
"""
import os
import signal
import socket
import sys
import time

place, folder = sys.argv[1:]
journal = socket.socket(socket.AF_UNIX)
journal.connect(place + '/stdout')
journal.shutdown(socket.SHUT_RD)
journal.send(b'me\nme.service\n5\n0\n1\n0\n0\n')
while not os.path.exists(folder + '/greeted'):
    time.sleep(0.01)
journal.send(b'first\n')
while not os.path.exists(folder + '/go'):
    time.sleep(0.01)
journal.send(b'second\n')
signal.pause()
