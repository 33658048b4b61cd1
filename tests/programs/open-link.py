# SPDX-License-Identifier: GPL-2.0-only
"""A process with a file open by a name that is gone, while another one is there.

usage: open-link.py FOLDER; goes on when FOLDER/go is there
"""
import os
import sys
import time

os.chdir(sys.argv[1])
file = open('first', 'w+')
file.write('content')
file.flush()
os.link('first', 'second')
os.unlink('first')
os.write(1, b'ready\n')
while not os.path.exists('go'):
    time.sleep(0.01)
file.seek(0)
os.write(1, f'{file.read()} {os.path.samestat(os.fstat(file.fileno()), os.stat("second"))}'.encode())
