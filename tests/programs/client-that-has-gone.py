# SPDX-License-Identifier: GPL-2.0-only
"""A connection that is used by another process than the one that made it, which has ended. Its module rpc lies in ../run.

usage: client-that-has-gone.py SERVICE IMAGES
"""
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'run'))
import rpc      # pylint: disable=wrong-import-position

sock = rpc.seqpacket()
sock.connect(sys.argv[1])
if os.fork():
    os._exit(0)
os.setsid()
client = rpc.Client(sock)
try:
    print(client.call('RESTORE', {'images_dir': sys.argv[2]}), flush=True)
except OSError as error:
    print('closed', error, flush=True)
