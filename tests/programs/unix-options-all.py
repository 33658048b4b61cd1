# SPDX-License-Identifier: GPL-2.0-only
"""Unix sockets: for each option and each type one that has only that; plain ones, with names, with an error, listening."""
import ctypes
import itertools
import os
import signal
import socket
import struct
import sys
from pathlib import Path

folder = Path(sys.argv[1])
TYPES = (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET)
NUMBERS = {2: (1,), 5: (1,), 6: (1,), 9: (1,), 10: (1,), 11: (1,), 12: (5,), 15: (1,), 16: (1,), 18: (7,), 34: (1,), 36: (77,),    # SO_REUSEADDR...
           1: (1,), 7: (20000,), 8: (30000,), 29: (1,), 35: (1,), 37: (8, 16), 40: (1,), 41: (1,), 42: (0, 5), 43: (1,), 44: (1,),
           45: (1,), 46: (100,), 47: (100000,), 49: (1,), 63: (1,), 64: (1,), 65: (8, 16), 69: (1,), 72: (1, 2, 3),
           74: (0, 1), 75: (1,), 76: (1,), 82: (1,), 83: (0,), 84: (1,)}
BYTES = {20: struct.pack('ll', 7, 250000), 21: struct.pack('ll', 0, 750000), 13: struct.pack('ii', 1, 9),
         61: struct.pack('iI', 1, 1), 65: struct.pack('ii', 8, 0)}
DEVICE, FILTER, LOCK_FILTER = 25, 26, 44
kept, refused = [], []


def make(kind):
    """One end of a pair, of which both are kept."""
    kept.extend(socket.socketpair(socket.AF_UNIX, kind))
    return kept[-1]


def setting(kind, option, value):
    """A socket that has this alone; what this kernel does not have is left out."""
    try:
        make(kind).setsockopt(socket.SOL_SOCKET, option, value)
    except OSError:
        refused.append(option)


for kind in TYPES:
    for option, values in NUMBERS.items():
        for value in values:
            setting(kind, option, value)
    for option, value in BYTES.items():
        setting(kind, option, value)
    setting(kind, DEVICE, b'lo\0')
    code = ctypes.create_string_buffer(struct.pack('HBBI', 6, 0, 0, 0xffffffff))
    setting(kind, FILTER, struct.pack('HxxxxxxQ', 1, ctypes.addressof(code)))
    kept[-1].setsockopt(socket.SOL_SOCKET, LOCK_FILTER, 1)
    for i in range(30):
        make(kind)
    alone = socket.socket(socket.AF_UNIX, kind)
    named = socket.socket(socket.AF_UNIX, kind)
    named.bind(f'\0all-options-{int(kind)}')
    kept += alone, named
    if kind != socket.SOCK_DGRAM:
        named.listen(3)
        client = socket.socket(socket.AF_UNIX, kind)
        client.connect(named.getsockname())
        kept += client, named.accept()[0]
left, right = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
left.send(b'unread')
left.setsockopt(socket.SOL_SOCKET, 16, 1)
right.close()       # what was unread is an error of the other end
kept.append(left)
assert len(set(refused)) < len(NUMBERS) // 2, refused
(folder / 'inside').write_text(str(len(kept)))
for _ in itertools.count():
    signal.pause()
