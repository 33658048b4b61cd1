# SPDX-License-Identifier: GPL-2.0-only
"""Clients of partner-server.py, outside of the tree: one has said something, one has ended its half, one waits to be accepted.

usage: partner-clients.py FOLDER [again]; with "again" a single one, which prints what it is answered
"""
import signal
import socket
import sys

folder = sys.argv[1]


def connect(name, form=socket.SOCK_STREAM):
    """A connection."""
    client = socket.socket(socket.AF_UNIX, form)
    client.connect(f'{folder}/{name}')
    return client


if len(sys.argv) > 2:
    client = connect('streams')
    client.send(b'hello')
    print(client.recv(100).decode())
    sys.exit()
whole = connect('streams')
whole.send(b'unread')
packets = connect('packets', socket.SOCK_SEQPACKET)
packets.send(b'one')
packets.send(b'two')
half = connect('streams')
half.send(b'said')
half.shutdown(socket.SHUT_WR)
waiting = connect('streams')
open(folder + '/outside', 'w', encoding='utf-8').close()
signal.pause()
