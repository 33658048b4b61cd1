# SPDX-License-Identifier: GPL-2.0-only
"""A process with a thread, and a child of another user.

usage: two-users.py; says "ready"
"""
import os
import threading
import time

threading.Thread(target=lambda: time.sleep(1000), daemon=True).start()
if os.fork() == 0:
    os.setgid(65534)
    os.setuid(65534)
    time.sleep(1000)
os.write(1, b'ready')
while True:
    time.sleep(1)
