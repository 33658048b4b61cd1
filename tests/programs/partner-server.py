# SPDX-License-Identifier: GPL-2.0-only
"""A server in the tree with clients outside, those of partner-clients.py; when FOLDER/go is there it tells what it reads.

usage: partner-server.py FOLDER
"""
import json
import os
import signal
import socket
import sys
import time

folder = sys.argv[1]
signal.signal(signal.SIGPIPE, signal.SIG_IGN)
streams, packets = socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
for listener, name in ((streams, 'streams'), (packets, 'packets')):
    listener.bind(f'{folder}/{name}')
    listener.listen()
open(folder + '/listens', 'w', encoding='utf-8').close()
clients = {'whole': streams.accept()[0], 'packets': packets.accept()[0], 'half': streams.accept()[0]}
open(folder + '/inside', 'w', encoding='utf-8').close()
while not os.path.exists(folder + '/go'):
    time.sleep(0.01)


def read(client):
    """All that comes, until the end, and whether it can be answered."""
    texts = []
    client.setblocking(False)
    try:
        while not texts or texts[-1]:
            texts.append(client.recv(100).decode())
        client.send(b'x')
    except OSError as error:
        texts.append(error.strerror)
    return texts, client.getsockname()


told = {name: read(client) for name, client in clients.items()}
new = streams.accept()[0]
told['new'] = new.recv(100).decode()
with open(folder + '/told.new', 'w', encoding='utf-8') as file:
    json.dump(told, file)
os.rename(folder + '/told.new', folder + '/told')
new.send(b'welcome')
