#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""
Has itself dumped by pycriu, and goes on when it is restored: dump-itself.py CRIU FOLDER. FOLDER/said tells of it; it ends when FOLDER/end is there.
"""
import os
import sys
import time

import pycriu

CRIU, FOLDER = sys.argv[1:]
client = pycriu.criu()
client.use_binary(CRIU)
client.opts.images_dir = f'{FOLDER}/images'
client.opts.log_level = 4
client.opts.log_file = 'dump.log'
answer = client.dump()
with open(f'{FOLDER}/said', 'w', encoding='ascii') as file:
    file.write(f'restored {answer.restored}\n')
while not os.path.exists(f'{FOLDER}/end'):
    time.sleep(0.01)
