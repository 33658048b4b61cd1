# SPDX-License-Identifier: GPL-2.0-only
"""Counts on its output, with memory that compresses well and some that does not.

usage: count-and-hash.py
"""
import os
import time

data = bytearray(b'state of a program ' * 200000) + os.urandom(1 << 20)
for i in range(10 ** 6):
    print(i, hash(bytes(data[-1000:])), flush=True)
    time.sleep(0.02)
