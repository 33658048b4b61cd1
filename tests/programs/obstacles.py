# SPDX-License-Identifier: GPL-2.0-only
"""A process with what a dump wants options for, and with files that cannot be saved.

usage: obstacles.py; the file "ready" says that it has them
"""
import fcntl
import os
import socket
import time

listener = socket.create_server(('127.0.0.1', 0))
client = socket.create_connection(listener.getsockname())
server = listener.accept()[0]
locked = open('locked', 'w')
fcntl.flock(locked, fcntl.LOCK_EX)
linked = open('one', 'w')
os.link('one', 'two')
os.unlink('one')
devices = [open('/dev/cpu_dma_latency'), os.eventfd(1)]
open('ready', 'w').close()
time.sleep(1000)
