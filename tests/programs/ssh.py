#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""
What criu needs of ssh, without any secrecy, between two rooms.

usage: ssh.py serve PORT FILE                           runs a command for each connection, with pipes; makes FILE when it can
       ssh.py [-oNAME=VALUE] -p PORT -- [USER@]HOST COMMAND   has it run there
"""
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path


def carry(come, to, end):
    """Bytes of one descriptor until there are no more."""
    while data := os.read(come, 1 << 16):
        while data:
            data = data[os.write(to, data):]
    end()


def serve_one(connection):
    """A command and its bytes."""
    with connection:
        command = b''
        while not command.endswith(b'\0'):
            command += connection.recv(1)
        with subprocess.Popen(['/bin/sh', '-c', command[:-1].decode()], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            threading.Thread(target=carry, args=(connection.fileno(), process.stdin.fileno(), process.stdin.close), daemon=True).start()
            carry(process.stdout.fileno(), connection.fileno(), lambda: connection.shutdown(socket.SHUT_RDWR))


def serve(port, ready):
    """All of them."""
    with socket.create_server(('', port)) as listener:
        Path(ready).touch()
        while True:
            threading.Thread(target=serve_one, args=(listener.accept()[0],), daemon=True).start()


def connect(port, host, command):
    """Our stdin and stdout are those of the command."""
    with socket.create_connection((host, port)) as connection:
        connection.sendall(command.encode() + b'\0')
        threading.Thread(target=carry, args=(0, connection.fileno(), lambda: connection.shutdown(socket.SHUT_WR)), daemon=True).start()
        carry(connection.fileno(), 1, lambda: None)


def main():
    """See the head of this file."""
    if sys.argv[1] == 'serve':
        serve(int(sys.argv[2]), sys.argv[3])
    port, _, place, command = sys.argv[-4:]
    connect(int(port), place.partition('@')[2] or place, command)


main()
