# SPDX-License-Identifier: GPL-2.0-only
"""A connection to a web server that stays open after one request.

usage: http-client.py; the file "connected" says that it has its answer
"""
import socket
import time

client = socket.create_connection(('127.0.0.1', 8080))
client.send(b'GET / HTTP/1.1\r\nHost: x\r\n\r\n')
assert client.recv(4096).startswith(b'HTTP/1.1')
open('connected', 'w').write('yes')
time.sleep(1000)
