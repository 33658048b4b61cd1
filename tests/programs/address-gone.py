# SPDX-License-Identifier: GPL-2.0-only
"""A connection in a network of its own whose address goes away, and comes back when there is a file "go" in the folder given."""
import ctypes
import socket
import subprocess
import sys
import time
from pathlib import Path

FOLDER = Path(sys.argv[1])
SO_BINDTODEVICE, IP_TRANSPARENT = 25, 19


def ip(*words):
    subprocess.run(['ip', *words], check=True)


ctypes.CDLL(None).unshare(0x40000000)
ip('link', 'set', 'lo', 'up')
ip('address', 'add', '10.77.0.1/32', 'dev', 'lo')
ip('address', 'add', '10.78.0.1/32', 'dev', 'lo')
ip('route', 'add', 'default', 'dev', 'lo')
listener = socket.create_server(('10.77.0.1', 5000))
client = socket.socket()
client.bind(('10.78.0.1', 0))
client.connect(('10.77.0.1', 5000))
server, name = listener.accept()
ip('address', 'del', '10.78.0.1/32', 'dev', 'lo')
(FOLDER / 'inside').touch()
while not (FOLDER / 'go').exists():
    time.sleep(0.01)
assert client.getsockname() == name
assert not client.getsockopt(socket.IPPROTO_IP, IP_TRANSPARENT) and not client.getsockopt(socket.SOL_SOCKET, SO_BINDTODEVICE, 16)
ip('address', 'add', '10.78.0.1/32', 'dev', 'lo')
server.settimeout(60)
client.sendall(b'back')
assert server.recv(4) == b'back'
(FOLDER / 'passed').touch()
