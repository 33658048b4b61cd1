# SPDX-License-Identifier: GPL-2.0-only
"""Keeps a database in a tmpfs and in the root of a container; a child of it computes each answer.

usage: keep-words.py
"""
import hashlib
import socketserver
import sqlite3
import subprocess
import sys

if sys.argv[1:] == ['child']:
    for line in sys.stdin:
        print(hashlib.sha256(line.encode()).hexdigest())
    sys.exit()

child = subprocess.Popen([sys.executable, '-u', __file__, 'child'], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
bases = [sqlite3.connect(path) for path in ('/dev/shm/base', '/base')]
for base in bases:
    base.execute('create table words (word text)')


class Answer(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile:
            child.stdin.write(line.decode())
            child.stdin.flush()
            digest = child.stdout.readline().strip()
            for base in bases:
                with base:
                    base.execute('insert into words values (?)', (digest,))
            counts = [base.execute('select count(*) from words').fetchone()[0] for base in bases]
            self.wfile.write(f'{digest} {counts[0]} {counts[1]}\n'.encode())


print(3, flush=True)
socketserver.TCPServer(('', 7777), Answer).serve_forever()
