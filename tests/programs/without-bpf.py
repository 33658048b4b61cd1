# SPDX-License-Identifier: GPL-2.0-only
"""Executes a command that may not call bpf(2), as in many containers."""
import ctypes
import os
import platform
import struct
import sys

NUMBER = {'x86_64': 321, 'aarch64': 280}[platform.machine()]
PR_SET_SECCOMP, MODE_FILTER = 22, 2
LOAD, EQUAL, RETURN, ALLOW, ERRNO = 0x20, 0x15, 0x06, 0x7fff0000, 0x00050000

code = ctypes.create_string_buffer(b''.join(struct.pack('HBBI', *row) for row in (
    (LOAD, 0, 0, 0), (EQUAL, 0, 1, NUMBER), (RETURN, 0, 0, ERRNO | 1), (RETURN, 0, 0, ALLOW))))
program = ctypes.create_string_buffer(struct.pack('HxxxxxxQ', 4, ctypes.addressof(code)))
if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_SECCOMP, MODE_FILTER, program, 0, 0):
    sys.exit(os.strerror(ctypes.get_errno()))
os.execv(sys.argv[1], sys.argv[1:])
