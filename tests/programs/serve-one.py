# SPDX-License-Identifier: GPL-2.0-only
"""Serves one connection to port 7000, and says nothing on it.

usage: serve-one.py; says "ready"
"""
import socket

server = socket.create_server(('127.0.0.1', 7000))
peer, _ = server.accept()
print('ready', flush=True)
peer.recv(1)
