# SPDX-License-Identifier: GPL-2.0-only
"""
usage: migrate-proxy.py PORT HOST PORT FOLDER STEP cut|half|pass

Carries the first connection to 127.0.0.1:PORT to the second address, frame by frame (docs/MIGRATION.md), and writes the name of each step to
FOLDER/steps. Before it passes on the one named STEP it makes FOLDER/reached and waits for FOLDER/go; then it cuts both connections (half: behind
the first half of what was to be passed on), or goes on. Later connections are carried as they are. It ends when it finds FOLDER/end.
"""
import contextlib
import socket
import struct
import sys
import threading
import time
from pathlib import Path

NAMES = {1: 'hello', 2: 'begin', 3: 'images', 4: 'commit', 5: 'bye', 6: 'ask', 7: 'pages', 8: 'more', 64: 'fine', 65: 'refused', 66: 'ready', 67: 'resumed',
         68: 'outcome', 69: 'want', 70: 'complete', 71: 'gone'}
FRAME, CHUNK = struct.Struct('<IIII'), struct.Struct('<IIQQQQ')
LAST_CHUNK = 6


class Cut(Exception):
    """The connections are to end here."""


class Proxy:
    """One connection that is looked into."""

    def __init__(self, folder, step, action):
        self.folder, self.step, self.action = folder, step, action
        self.lock, self.counts, self.images = threading.Lock(), {}, 0
        self.ends = []

    def pass_on(self, name, data, to):
        """One step."""
        with self.lock:
            self.counts[name] = self.counts.get(name, 0) + 1
            step = f'{name}.{self.counts[name]}'
            with (self.folder / 'steps').open('a', encoding='ascii') as steps:
                steps.write(step + '\n')
            if step == self.step:
                (self.folder / 'reached').touch()
                while not (self.folder / 'go').exists():
                    time.sleep(0.002)
                if self.action == 'half':
                    to.sendall(data[:len(data) // 2])
                if self.action != 'pass':
                    raise Cut
        to.sendall(data)

    @staticmethod
    def read(stream, size):
        """Exactly so many bytes."""
        data = stream.read(size)
        if len(data) != size:
            raise EOFError
        return data

    def carry_stream(self, stream, to):
        """A whole checkpoint, behind the frame that announces it."""
        self.images += 1
        while True:
            head = self.read(stream, CHUNK.size)
            kind, size = CHUNK.unpack(head)[:2]
            self.pass_on(f'chunk{self.images}' if kind != LAST_CHUNK else f'mark{self.images}', head + self.read(stream, size), to)
            if kind == LAST_CHUNK:
                return

    def carry(self, which, come, to):
        """One direction."""
        stream = come.makefile('rb')
        try:
            while True:
                head = self.read(stream, FRAME.size)
                _, kind, _, size = FRAME.unpack(head)
                self.pass_on(f'{which}-{NAMES[kind]}', head + self.read(stream, size), to)
                if NAMES[kind] == 'images':
                    self.carry_stream(stream, to)
        except EOFError:
            with contextlib.suppress(OSError):
                to.shutdown(socket.SHUT_WR)
        except (Cut, OSError):
            for end in self.ends:
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
                end.close()
        finally:
            stream.close()


def carry_bytes(come, to):
    """A connection that nobody looks into."""
    while data := come.recv(1 << 16):
        to.sendall(data)
    to.shutdown(socket.SHUT_WR)


def main():
    """See the head of this file."""
    port, host, other, folder, step, action = sys.argv[1:7]
    folder, proxy = Path(folder), Proxy(Path(folder), step, action)
    listener = socket.create_server(('127.0.0.1', int(port)), backlog=16)
    listener.settimeout(0.05)
    (folder / 'carries').touch()
    first = True
    while not (folder / 'end').exists():
        try:
            client, _ = listener.accept()
        except TimeoutError:
            continue
        client.settimeout(None)
        try:
            server = socket.create_connection((host, int(other)))
        except OSError:
            client.close()
            continue
        if first:
            proxy.ends = [client, server]
            pairs = ((proxy.carry, ('S', client, server)), (proxy.carry, ('R', server, client)))
        else:
            pairs = ((carry_bytes, (client, server)), (carry_bytes, (server, client)))
        first = False
        for target, words in pairs:
            threading.Thread(target=target, args=words, daemon=True).start()


main()
