# SPDX-License-Identifier: GPL-2.0-only
"""Starts a command in the foreground of a terminal of its own, and types Ctrl-C when a file holds a word.

usage: type-interrupt.py FILE WORD COMMAND...
"""
import os
import pty
import sys
import time

name, word, *command = sys.argv[1:]
pid, terminal = pty.fork()
if pid == 0:
    os.execv(command[0], command)
while not os.path.exists(name) or word not in open(name, errors='replace').read():
    time.sleep(0.01)
os.write(terminal, b'\3')
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
