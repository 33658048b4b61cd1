# SPDX-License-Identifier: GPL-2.0-only
"""Two processes that open and close the same few descriptors without a pause: files of one inode, eventfds, pipes.

usage: open-close.py; the file "ready" says that they run
"""
import os

other = os.fork()
null = [os.open('/dev/null', os.O_RDONLY) for _ in range(20)]
if other:
    with open('ready', 'w', encoding='ascii') as file:
        file.write('yes')
while True:
    for i in range(0, 20, 4):
        os.close(null[i])
        os.close(null[i + 1])
        null[i] = os.eventfd(0)
        null[i + 1] = os.open('/dev/null', os.O_RDONLY)
        for end in os.pipe():
            os.close(end)
