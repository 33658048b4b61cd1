# SPDX-License-Identifier: GPL-2.0-only
"""Mounts a directory at a place, with its owners mapped.

usage: bind-idmapped.py SOURCE PLACE
"""
import ctypes
import os
import subprocess
import sys

libc = ctypes.CDLL(None, use_errno=True)


def must(n):
    if n < 0: raise OSError(ctypes.get_errno(), 'syscall')
    return n


child = subprocess.Popen(['unshare', '-U', 'cat'], stdin=subprocess.PIPE)
while os.readlink(f'/proc/{child.pid}/ns/user') == os.readlink('/proc/self/ns/user'): pass
for name in ('uid_map', 'gid_map'): open(f'/proc/{child.pid}/{name}', 'w').write('0 1000 10')
user = os.open(f'/proc/{child.pid}/ns/user', os.O_RDONLY)
tree = must(libc.syscall(428, -100, sys.argv[1].encode(), 1))                    # open_tree, OPEN_TREE_CLONE
attr = (ctypes.c_uint64 * 4)(0x100000, 0, 0, user)                              # MOUNT_ATTR_IDMAP
must(libc.syscall(442, tree, b'', 0x1000, ctypes.byref(attr), 32))              # mount_setattr
must(libc.syscall(429, tree, b'', -100, sys.argv[2].encode(), 4))                 # move_mount
os.close(tree); os.close(user)
child.stdin.close(); child.wait()
