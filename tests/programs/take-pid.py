# SPDX-License-Identifier: GPL-2.0-only
"""Takes a number for a child that dies, and reaps it after a while.

usage: take-pid.py PID FILE; makes FILE when the number is taken
"""
import os
import sys
import time

wanted, name = int(sys.argv[1]), sys.argv[2]
while True:
    with open('/proc/sys/kernel/ns_last_pid', 'w') as file:
        file.write(str(wanted - 1))
    child = os.fork()
    if child == 0:
        os._exit(0)
    if child == wanted:
        os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
        break
    os.waitpid(child, 0)
with open('/proc/sys/kernel/ns_last_pid', 'w') as file:
    file.write('1000')
open(name, 'w').close()
time.sleep(1)
os.waitpid(child, 0)
