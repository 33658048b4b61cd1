# SPDX-License-Identifier: GPL-2.0-only
"""Serves an empty file system by FUSE, and counts.

usage: serve-empty-fuse.py FOLDER; it is mounted on FOLDER/mnt, FOLDER/count grows by a byte every 50 ms
"""
import ctypes
import errno
import os
import select
import struct
import sys

INIT, GETATTR = 26, 3

folder = sys.argv[1]
os.mkdir(folder + "/mnt")
device = os.open("/dev/fuse", os.O_RDWR)
libc = ctypes.CDLL(None, use_errno=True)
options = f"fd={device},rootmode=40000,user_id=0,group_id=0".encode()
if libc.mount(b"empty", folder.encode() + b"/mnt", b"fuse", 0, options) < 0:
    sys.exit(f"mount: {os.strerror(ctypes.get_errno())}")
while True:
    with open(folder + "/count", "a") as file:
        file.write("x")
    if not select.select([device], [], [], 0.05)[0]:
        continue
    request = os.read(device, 1 << 17)
    _, call, unique = struct.unpack("=IIQ", request[:16])
    error, body = 0, b""
    if call == INIT:
        body = struct.pack("=IIIIHHIIHHI", 7, 31, 65536, 0, 0, 0, 65536, 1, 1, 0, 0).ljust(64, b"\0")
    elif call == GETATTR:
        body = struct.pack("=QII6Q10I", 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0o40755, 2, 0, 0, 0, 4096, 0)
    else:
        error = -errno.ENOSYS
    os.write(device, struct.pack("=IiQ", 16 + len(body), error, unique) + body)
