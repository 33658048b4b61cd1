# SPDX-License-Identifier: GPL-2.0-only
"""Root that becomes an ordinary user, and waits.

usage: become-user.py UID; an empty line says that it has
"""
import os
import sys
import time

uid = int(sys.argv[1])
os.setgroups([])
os.setgid(uid)
os.setuid(uid)
print(flush=True)
time.sleep(1000)
