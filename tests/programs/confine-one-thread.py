# SPDX-License-Identifier: GPL-2.0-only
"""Runs another Python program in a process of which one thread may gain no privileges.

usage: confine-one-thread.py PYTHON PROGRAM...
"""
import ctypes
import runpy
import sys
import threading
import time

confined = threading.Event()


def confine():
    """PR_SET_NO_NEW_PRIVS is of a thread."""
    ctypes.CDLL(None).prctl(38, 1, 0, 0, 0)
    confined.set()
    time.sleep(100)


threading.Thread(target=confine, daemon=True).start()
confined.wait()
sys.argv[:] = sys.argv[2:]
sys.path.insert(0, sys.argv[0].rpartition('/')[0])
runpy.run_path(sys.argv[0], run_name='__main__')
