# SPDX-License-Identifier: GPL-2.0-only
"""The partner of partner-inside.py, outside of the tree: greets each client, and notes who has come and what was said.

usage: partner-outside.py FOLDER
Greeting: "hello" and the descriptor of a file; to a seqpacket client "one" and "two". FOLDER/heard gets a line of JSON for each event.
"""
import array
import contextlib
import json
import os
import selectors
import socket
import struct
import sys

folder = sys.argv[1]
os.chdir(folder)
with open('sent', 'w', encoding='utf-8') as file:
    file.write('content')
places = {'stream': (socket.SOCK_STREAM, folder + '/stream'), 'packets': (socket.SOCK_SEQPACKET, folder + '/packets'),
          'abstract': (socket.SOCK_STREAM, '\0criu-test-partner'), 'relative': (socket.SOCK_STREAM, 'relative')}
select = selectors.DefaultSelector()


def note(**event):
    """One line."""
    with open('heard', 'a', encoding='utf-8') as to:
        to.write(json.dumps(event) + '\n')


def accept(listener, kind):
    """Greets."""
    client, _ = listener.accept()
    pid, uid, _ = struct.unpack('3i', client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    with contextlib.suppress(BrokenPipeError), open('sent', encoding='utf-8') as sent:    # a restore that failed
        if kind == 'packets':
            client.send(b'one')
            client.send(b'two')
        else:
            client.sendmsg([b'hello'], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', [sent.fileno()]))])
    select.register(client, selectors.EVENT_READ, kind)
    note(kind=kind, pid=pid, uid=uid)


for name, (form, address) in places.items():
    server = socket.socket(socket.AF_UNIX, form)
    server.bind(address)
    server.listen()
    select.register(server, selectors.EVENT_READ, name)
with open('outside', 'w', encoding='utf-8') as file:
    file.write(str(os.getpid()))
while True:
    for key, _ in select.select():
        if key.fileobj.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            accept(key.fileobj, key.data)
            continue
        try:
            text = key.fileobj.recv(1000)
        except ConnectionResetError:
            text = b''
        note(kind=key.data, said=text.decode())
        if not text:
            select.unregister(key.fileobj)
            key.fileobj.close()
