# SPDX-License-Identifier: LGPL-2.1-only
"""Images as dictionaries and back. The work is done by the program crit, which must be in the PATH, or be named by $CRIT."""
import json
import os
import re
import subprocess
import tempfile

__all__ = ['MagicException', 'dump', 'dumps', 'info', 'load', 'loads']


class MagicException(Exception):
    """The data begin with no magic that is known; .magic is the number."""

    def __init__(self, magic):
        super().__init__(f'Unknown magic {magic:#x}')
        self.magic = magic


def _crit(*arguments, stdin=None):
    """Runs crit; returns what it prints. Raises MagicException, or ValueError with its message."""
    done = subprocess.run([os.environ.get('CRIT', 'crit'), *arguments], input=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          check=False)
    if done.returncode == 0:
        return done.stdout
    message = done.stderr.decode(errors='replace').strip()
    unknown = re.search(r'Unknown magic (0x[0-9a-f]+)', message)
    if unknown:
        raise MagicException(int(unknown[1], 16))
    raise ValueError(message)


def _file(data):
    """The data as a file that crit can open."""
    file = tempfile.NamedTemporaryFile(prefix='crit-')
    file.write(data)
    file.flush()
    return file


def loads(s, pretty=False):
    """The image in some bytes, as a dictionary with "magic" and "entries"."""
    return json.loads(_crit('decode', *(['--pretty'] if pretty else []), stdin=s))


def load(f, pretty=False, no_payload=False):
    """The same from a file that is open for reading bytes. no_payload leaves only the sizes of payloads."""
    if not no_payload:
        return loads(f.read(), pretty)
    with _file(f.read()) as file:
        return json.loads(_crit('show', '--nopl', file.name))


def dumps(img):
    """The image that the dictionary describes, as bytes."""
    return _crit('encode', stdin=json.dumps(img).encode())


def dump(img, f):
    """The same into a file that is open for writing bytes."""
    f.write(dumps(img))


def info(f):
    """{"magic": name, "count": number of entries}"""
    with _file(f.read()) as file:
        return json.loads(_crit('info', file.name))
