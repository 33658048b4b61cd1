# SPDX-License-Identifier: GPL-2.0-only
"""A process with the file way/file open as descriptor 50.

usage: open-below-link.py; says "ready"
"""
import os
import time

os.dup2(os.open('way/file', os.O_RDWR), 50)
os.write(1, b'ready')
time.sleep(1000)
