# SPDX-License-Identifier: GPL-2.0-only
"""Executes itself again and again, from a thread that is not the main one.

usage: execute-again.py; the file "lives" gets a byte for each of its lives
"""
import os
import random
import sys
import threading
import time

with open('lives', 'a') as file:
    file.write('x')
for _ in range(3):
    threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()


def go_on():
    time.sleep(random.random() / 200)
    os.execv(sys.executable, [sys.executable, '-S', '-E', sys.argv[0]])


threading.Thread(target=go_on).start()
time.sleep(1000)
