# SPDX-License-Identifier: GPL-2.0-only
"""Answers all that comes on descriptor 0, in capitals.

usage: answer-in-capitals.py
"""
import os

while data := os.read(0, 65536): os.write(1, data.upper())
