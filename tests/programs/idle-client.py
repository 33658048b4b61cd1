# SPDX-License-Identifier: GPL-2.0-only
"""A connection that does nothing. Its module rpc lies in ../run.

usage: idle-client.py SERVICE
"""
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'run'))
import rpc      # pylint: disable=wrong-import-position

client = rpc.connect(sys.argv[1])
client.call('VERSION', keep_open=True)
print(flush=True)
time.sleep(100)
