# SPDX-License-Identifier: GPL-2.0-only
"""A client that asks for a dump of itself. Its module rpc lies in ../run.

usage: client-in-tree.py SERVICE IMAGES
"""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'run'))
import rpc      # pylint: disable=wrong-import-position

client = rpc.connect(sys.argv[1])
reply = client.call('DUMP', {'images_dir': sys.argv[2], 'notify_scripts': True, 'leave_running': True})
print(reply['success'], client.told, flush=True)
