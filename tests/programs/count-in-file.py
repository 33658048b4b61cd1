# SPDX-License-Identifier: GPL-2.0-only
"""Counts in a file, beside threads that sleep.

usage: count-in-file.py FILE THREADS
"""
import sys
import threading
import time

for number in range(int(sys.argv[2])):
    threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()
count = 0
while True:
    count += 1
    with open(sys.argv[1], "w") as file:
        file.write(str(count))
    time.sleep(0.01)
