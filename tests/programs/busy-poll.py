#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Has a socket that polls busily, with a budget that only the kernel knows: busy-poll.py FILE, which is made when it is ready."""
import socket
import sys
import time

SO_PREFER_BUSY_POLL, SO_BUSY_POLL_BUDGET = 69, 70
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
    sock.setsockopt(socket.SOL_SOCKET, SO_PREFER_BUSY_POLL, 1)
    sock.setsockopt(socket.SOL_SOCKET, SO_BUSY_POLL_BUDGET, 3)
    with open(sys.argv[1], 'w', encoding='ascii'):
        pass
    time.sleep(1000)
