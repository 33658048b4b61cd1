# SPDX-License-Identifier: GPL-2.0-only
"""A process of an ordinary user with files of many kinds in the directory "inner".

usage: files-in-inner.py; says "ready"
"""
import os
import socket
import time

os.setgroups([])
os.setgid(65534)
os.setuid(65534)
os.chdir('inner')
kept = []
seen = os.open('seen', os.O_RDWR | os.O_CREAT, 0o600)
os.write(seen, b'seen of mine')
os.dup2(seen, 50)
for name in ('deleted', 'linked'):
    kept.append(open(name, 'w+'))
    kept[-1].write('mine')
    kept[-1].flush()
os.link('linked', 'other')
os.unlink('deleted')
os.unlink('linked')
os.mkdir('folder')
kept.append(os.open('folder', os.O_RDONLY))
os.rmdir('folder')
os.mkfifo('fifo', 0o600)
kept.append(os.open('fifo', os.O_RDWR))
os.unlink('fifo')
server = socket.socket(socket.AF_UNIX)
server.bind(os.getcwd() + '/socket')
server.listen()
os.chdir('/')
os.write(1, b'ready')
while True:
    time.sleep(1)
