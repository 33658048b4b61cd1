# SPDX-License-Identifier: GPL-2.0-only
"""Has what only one process can have: hold-alone.py KIND DIRECTORY, and says READY in the directory when it has it."""
import fcntl
import socket
import sys
import time

kind, directory = sys.argv[1:]
if kind == 'port':
    held = socket.create_server(('127.0.0.1', 4321))
elif kind == 'lock':
    held = open(f'{directory}/one/lock', 'r+', encoding='utf-8')  # pylint: disable=consider-using-with
    fcntl.lockf(held, fcntl.LOCK_EX)
else:
    held = socket.socket(socket.AF_UNIX)
    held.bind('\0here' if kind == 'abstract' else f'{directory}/one/sock')
    held.listen()
with open(f'{directory}/ready', 'w', encoding='utf-8'):
    pass
while True:
    time.sleep(60)
