# SPDX-License-Identifier: GPL-2.0-only
"""Writes to a file and to its output, when the file "go" is there.

usage: write-outside.py FOLDER
"""
import os
import sys
import time

os.chdir(sys.argv[1])
out = os.open('outside', os.O_RDWR)
os.write(1, b'ready\n')
while not os.path.exists('go'):
    time.sleep(0.01)
os.write(out, b'to the file')
os.write(1, b'to the pipe')
