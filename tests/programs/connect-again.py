# SPDX-License-Identifier: GPL-2.0-only
"""Connects to port 7000 again and again.

usage: connect-again.py
"""
import socket
import time

while True:
    try:
        socket.create_connection(('127.0.0.1', 7000)).recv(1)
    except ConnectionRefusedError:
        time.sleep(0.05)
