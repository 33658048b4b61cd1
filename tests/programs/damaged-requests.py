# SPDX-License-Identifier: GPL-2.0-only
"""Sends requests that were right but for some bits; prints how many got an answer. Its module rpc lies in ../run.

usage: damaged-requests.py SERVICE IMAGES
"""
import random
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'run'))
import rpc      # pylint: disable=wrong-import-position

generator = random.Random(7)
opts = {'images_dir': sys.argv[2], 'pid': 1, 'log_level': 4, 'leave_running': True, 'external': ['mnt[a]:b'], 'timeout': 1,
         'skip_mnt': ['/x'], 'ext_mnt': [{'key': 'a', 'val': 'b'}], 'cg_root': [{'path': '/'}], 'images_dir_fd': -1,
         'inherit_fd': [{'key': 'k', 'fd': 1}], 'unix_sk_ino': [{'inode': 3}], 'ps': {'address': 'x', 'port': 3}}
kinds = list(rpc.TYPES)
answered = 0
for turn in range(400):
    request = {'type': kinds[turn % len(kinds)], 'pid': 1, 'opts': opts, 'features': {'mem_track': True}}
    data = bytearray(rpc.encode('criu_req', request))
    for _ in range(generator.randrange(1, 4)):
        data[generator.randrange(len(data))] ^= 1 << generator.randrange(8)
    with rpc.connect(sys.argv[1]) as client:
        client.sock.settimeout(60)
        client.sock.send(bytes(data[:generator.choice([len(data), len(data), generator.randrange(1, len(data))])]))
        try:
            answered += client.receive() is not None
        except ConnectionResetError:
            pass
print(answered)
