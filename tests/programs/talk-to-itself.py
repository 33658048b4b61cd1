# SPDX-License-Identifier: GPL-2.0-only
"""A process that has both ends of a TCP connection, a listening socket and a UDP socket at an address.

usage: talk-to-itself.py FAMILY ADDRESS GO; goes on when the file GO is there
"""
import os
import socket
import sys
import time

family, address, other = int(sys.argv[1]), sys.argv[2], sys.argv[3]
server = socket.socket(family)
server.bind((address, 7000))
server.listen()
client = socket.create_connection((address, 7000))
peer, _ = server.accept()
udp = socket.socket(family, socket.SOCK_DGRAM)
udp.bind((address, 7002))
client.sendall(b'sent before')
print('ready', flush=True)
while not os.path.exists(other):
    time.sleep(0.02)
print(peer.recv(100).decode(), flush=True)
peer.sendall(b'answer')
print(client.recv(100).decode(), *client.getpeername()[:2], *peer.getsockname()[:2], *udp.getsockname()[:2], flush=True)
peer, _ = server.accept()
print('accepted', peer.getsockname()[:2], flush=True)
