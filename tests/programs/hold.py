# SPDX-License-Identifier: GPL-2.0-only
"""A process that has something, and waits.

usage: hold.py FILE STATEMENTS; FILE says that it has it
"""
import os
import socket
import sys
import time

exec(sys.argv[2], {'os': os, 'socket': socket}, held := {})
open(sys.argv[1], 'w').close()
time.sleep(1000)
