# SPDX-License-Identifier: GPL-2.0-only
"""An ordinary user who exchanges the directory "inner" with the link "link", as fast as it goes.

usage: swap-directories.py
"""
import ctypes
import os

os.setgid(65534)
os.setuid(65534)
exchange = ctypes.CDLL(None).renameat2
while True:
    exchange(-100, b'inner', -100, b'link', 2)
