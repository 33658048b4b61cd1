# SPDX-License-Identifier: GPL-2.0-only
"""A hundred connections at once; prints how many were refused. Its module rpc lies in ../run.

usage: hundred-clients.py SERVICE
"""
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'run'))
import rpc      # pylint: disable=wrong-import-position

many = [rpc.connect(sys.argv[1]) for _ in range(100)]
refused = 0
time.sleep(0.5)
for client in many:
    try:
        client.send({'type': 'VERSION', 'keep_open': True})
        refused += not client.receive()
    except OSError:
        refused += 1
print(refused, flush=True)
time.sleep(100)
