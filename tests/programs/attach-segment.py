# SPDX-License-Identifier: GPL-2.0-only
"""usage: attach-segment.py: has a page of System V shared memory attached, says "attached", and waits."""
import ctypes
import signal

LIBC = ctypes.CDLL(None, use_errno=True)
LIBC.shmat.restype = ctypes.c_void_p
number = LIBC.shmget(0, 4096, 0o1600)   # IPC_PRIVATE, IPC_CREAT
assert number >= 0 and LIBC.shmat(number, None, 0) != ctypes.c_void_p(-1).value, ctypes.get_errno()
print('attached', flush=True)
signal.pause()
