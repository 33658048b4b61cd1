# SPDX-License-Identifier: GPL-2.0-only
"""Listens as systemd-journald does, keeps what it was told of each stream where that does, and notes all.

usage: journal-outside.py PLACE FOLDER
"""
import json
import os
import selectors
import socket
import sys

place, folder = sys.argv[1:]
KEYS = ['IDENTIFIER', 'UNIT', 'PRIORITY', 'LEVEL_PREFIX', 'FORWARD_TO_SYSLOG', 'FORWARD_TO_KMSG', 'FORWARD_TO_CONSOLE']
select = selectors.DefaultSelector()
listener = socket.socket(socket.AF_UNIX)
listener.bind(place + '/stdout')
listener.listen()
select.register(listener, selectors.EVENT_READ)
open(folder + '/heard', 'w', encoding='utf-8').close()
open(folder + '/outside', 'w', encoding='utf-8').close()
while True:
    for key, _ in select.select():
        if key.fileobj is listener:
            new, _ = listener.accept()
            select.register(new, selectors.EVENT_READ)
            continue
        text = key.fileobj.recv(1000)
        if not text:
            select.unregister(key.fileobj)
            continue
        with open(folder + '/heard', 'a', encoding='utf-8') as to:
            to.write(json.dumps(text.decode()) + '\n')
        if text.count(b'\n') >= 7:
            own = os.fstat(key.fileobj.fileno())
            with open(f'{place}/streams/{own.st_dev}:{own.st_ino}', 'w', encoding='utf-8') as state:
                for name, value in zip(KEYS, text.decode().split('\n')):
                    if value:
                        state.write(f'{name}={value}\n')
            with open(folder + '/greeted', 'a', encoding='utf-8') as to:
                to.write('x')
