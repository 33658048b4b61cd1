# SPDX-License-Identifier: GPL-2.0-only
"""usage: keep-zombie.py PID: makes a child of this pid that ends and is not reaped, says "kept", and waits."""
import os
import signal
import sys
from pathlib import Path

Path('/proc/sys/kernel/ns_last_pid').write_text(str(int(sys.argv[1]) - 1))
pid = os.fork()
if pid == 0:
    os._exit(0)
assert pid == int(sys.argv[1]), pid
os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
print('kept', flush=True)
signal.pause()
