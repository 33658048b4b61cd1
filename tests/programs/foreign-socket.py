# SPDX-License-Identifier: GPL-2.0-only
"""A process with a socket of a family that only plugins know.

usage: foreign-socket.py; says "ready", or "none" if the kernel has none of them
"""
import socket
import sys
import time

for family, kind in ((38, socket.SOCK_SEQPACKET), (40, socket.SOCK_STREAM), (15, socket.SOCK_RAW), (30, socket.SOCK_SEQPACKET)):
    try:
        sock = socket.socket(family, kind)
        break
    except OSError:
        pass
else:
    print('none', flush=True)
    sys.exit()
print('ready', flush=True)
time.sleep(1000)
