# SPDX-License-Identifier: GPL-2.0-only
"""Executes a command below a seccomp filter that allows everything.

usage: confine-by-seccomp.py COMMAND...
"""
import ctypes
import os
import sys

libc = ctypes.CDLL(None)


class Program(ctypes.Structure):
    """struct sock_fprog."""
    _fields_ = [('n', ctypes.c_ushort), ('filter', ctypes.c_char_p)]


assert not libc.prctl(38, 1, 0, 0, 0)           # PR_SET_NO_NEW_PRIVS
assert not libc.prctl(22, 2, ctypes.byref(Program(1, b'\6\0\0\0\0\0\xff\x7f')))          # PR_SET_SECCOMP, return SECCOMP_RET_ALLOW
os.execvp(sys.argv[1], sys.argv[1:])
