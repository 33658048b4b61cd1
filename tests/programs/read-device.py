# SPDX-License-Identifier: GPL-2.0-only
"""Reads from a device that it has open, when a file is there.

usage: read-device.py DEVICE GO
"""
import os
import sys
import time

device = os.open(sys.argv[1], os.O_RDWR)
os.write(1, b'ready\n')
while not os.path.exists(sys.argv[2]):
    time.sleep(0.01)
os.write(1, b'%d zeros' % os.read(device, 10).count(0))
