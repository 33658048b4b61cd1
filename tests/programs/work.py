# SPDX-License-Identifier: GPL-2.0-only
"""Computes, with short sleeps, for ever.

usage: work.py
"""
import time

while True:
    sum(range(1000)); time.sleep(0.0001)
