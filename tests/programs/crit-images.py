# SPDX-License-Identifier: GPL-2.0-only
"""Calls every function of pycriu.images on the images of a real checkpoint, in which directory it runs.

usage: crit-images.py
"""
import io

import pycriu
from pycriu import images

data = open('pipes-data.img', 'rb').read()
image = images.loads(data)
assert image == images.load(io.BytesIO(data)) and image['magic'] == 'PIPES_DATA'
assert images.dumps(image) == data
out = io.BytesIO()
images.dump(image, out)
assert out.getvalue() == data
assert images.info(io.BytesIO(data)) == {'magic': 'PIPES_DATA', 'count': len(image['entries'])}
assert images.load(io.BytesIO(data), no_payload=True)['entries'][0]['extra'] == '... <9B>'
assert images.load(open('mm-8021.img', 'rb'), True)['entries'][0]['mm_start_code'] == '0x401000'
try:
    images.loads(b'PNG.1234')
    assert False
except images.MagicException as unknown:
    assert unknown.magic == 0x2e474e50
try:
    images.loads(data[:-1])
    assert False
except ValueError as error:
    assert 'truncated' in str(error)
