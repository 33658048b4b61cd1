# SPDX-License-Identifier: GPL-2.0-only
"""The protocol of page servers, from both sides, and a page server of ours to talk to."""
import json
import os
import socket
import struct
import subprocess
import time
from pathlib import Path

from room import wait_until

PAGE = 4096
ADD_OLD, HOLE_OLD, OPEN_OLD, OPEN, PARENT, ADD, GET, CLOSE, FORCE_CLOSE = 1, 2, 3, 4, 5, 6, 7, 0x1023, 0x1024
PE_PARENT, PE_LAZY, PE_PRESENT = 1, 2, 4
HEADER = struct.Struct('=IIQQQ')


def task(pid):
    """The name of the memory of a process."""
    return pid << 8 | 1


def shared(number):
    """The name of a shared memory object."""
    return number << 8 | 2


def page(number):
    """A page that differs from those of other numbers."""
    return struct.pack('<Q', number) * (PAGE // 8)


def message(command, flags=0, nr_pages=0, start=0, name=0):
    """The head of every request."""
    return HEADER.pack(command | flags << 16, 0, nr_pages, start, name)


def receive(sock, size):
    """Exactly size bytes, fewer at the end of the connection."""
    data = b''
    while len(data) < size:
        more = sock.recv(size - len(data))
        if not more:
            break
        data += more
    return data


def free_port():
    """A port that nobody listens at just now."""
    with socket.socket() as sock:
        sock.bind(('127.0.0.1', 0))
        return sock.getsockname()[1]


class Server:
    """A criu page-server in the foreground. Its exit code: end()."""

    def __init__(self, criu, folder, *options, sock=None):
        self.folder, self.log = Path(folder), Path(folder) / 'page-server.log'
        self.folder.mkdir(exist_ok=True)
        ready, status = os.pipe()
        given = ['--ps-socket', str(sock.fileno())] if sock else ['--address', '127.0.0.1']
        self.process = subprocess.Popen(
            [criu, 'page-server', '-D', self.folder, '-v4', '-o', self.log.name, '--status-fd', str(status), *given, *map(str, options)],
            pass_fds=[status] + ([sock.fileno()] if sock else []), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True)
        os.close(status)
        told = os.read(ready, 1)
        os.close(ready)
        if told != b'\0':
            raise RuntimeError(f'the page server does not begin: {self.process.communicate()[0]} {self.said()}')
        self.port = None if sock else int(self.said().split(' port ')[1].split()[0])

    def said(self):
        """Its log."""
        return self.log.read_text(errors='replace') if self.log.exists() else ''

    def connect(self):
        """A client's socket."""
        sock = socket.create_connection(('127.0.0.1', self.port))
        sock.settimeout(40)
        return sock

    def end(self):
        """Waits until it ends; returns its exit code."""
        try:
            return self.process.wait(40)
        finally:
            self.stop()

    def still_waits(self):
        """It has not ended, and waits for a client; stops it."""
        time.sleep(0.05)        # for it to hear of the last one, if it has not
        assert self.process.poll() is None, f'it has ended: {self.said()}'
        self.connect().close()
        self.stop()

    def stop(self):
        """Kills it."""
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


def pagemap(build, path):
    """The head and the entries of a pagemap image, as [(start, number of pages, flags)]."""
    text = subprocess.run([build / 'crit', 'decode', '-i', path], capture_output=True, check=True).stdout
    head, *entries = json.loads(text)['entries']
    return head['pages_id'], [(entry['vaddr'], entry['nr_pages'], entry['flags']) for entry in entries]


def wait_for_port(pid_of_namespace, port):
    """Waits until somebody listens at the port in the network namespace of that process."""
    def listens():
        lines = [line for name in ('tcp', 'tcp6') for line in Path(f'/proc/{pid_of_namespace}/net/{name}').read_text().splitlines()[1:]]
        return any(line.split()[1].endswith(f':{port:04X}') and line.split()[3] == '0A' for line in lines)
    wait_until(listens, 20, f'nobody listens at port {port}')
