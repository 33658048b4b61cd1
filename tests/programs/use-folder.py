# SPDX-License-Identifier: GPL-2.0-only
"""Uses a directory for ever: it is in it, reads, maps, appends, and has a file open that it has removed.

usage: use-folder.py FOLDER OUT [readonly]; FOLDER has the files "data" of 64 KiB and "sub/note"; OUT/count is the number of rounds, OUT/failed
says what went wrong
"""
import mmap
import os
import sys
import time
import traceback

folder, out = sys.argv[1:3]
writes = sys.argv[3:] != ['readonly']


def is_same(got, wanted, what):
    """Or it ends here."""
    if got != wanted:
        raise ValueError(f'{what}: {got!r:.100} instead of {wanted!r:.100}')


def work():
    """Round after round, all that was opened at the beginning must be as it was."""
    os.chdir(f'{folder}/sub')
    data = os.open('../data', os.O_RDONLY)
    wanted = os.pread(data, 65536, 0)
    is_same(len(wanted), 65536, 'the size of data')
    note = os.open('note', os.O_RDONLY)
    said = os.read(note, 100)
    own = mmap.mmap(data, 65536, mmap.MAP_PRIVATE, mmap.PROT_READ | mmap.PROT_WRITE)
    own[5000:5005] = b'inner'
    where = os.getcwd()
    here = os.open('.', os.O_RDONLY | os.O_DIRECTORY)
    if writes:
        log = os.open('../log', os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        gone = os.open('gone', os.O_RDWR | os.O_CREAT, 0o600)
        os.unlink('gone')
    n = 0
    while True:
        n += 1
        is_same(os.pread(data, 65536, 0), wanted, 'data')
        is_same(os.pread(note, 100, 0), said, 'note')
        is_same(os.lseek(note, 0, os.SEEK_CUR), len(said), 'the position in note')
        is_same(own[5000:5005] + own[60000:], b'inner' + wanted[60000:], 'the private mapping')
        is_same(os.getcwd(), where, 'the current directory')
        is_same('note' in os.listdir('.') and 'note' in os.listdir(here), True, 'the list')
        if writes:
            os.write(log, b'%d\n' % n)
            with open('../log', 'rb') as file:
                is_same(file.read().split()[-1], b'%d' % n, 'the end of the log')
            is_same(os.pwrite(gone, b'%10d' % n, 0), 10, 'what was written')
            is_same(os.pread(gone, 100, 0), b'%10d' % n, 'the removed file')
            with open(f'new{n}', 'w') as file:
                file.write('x')
            os.unlink(f'new{n}')
        with open(f'{out}/count', 'w') as file:
            file.write(f'{n}\n')
        time.sleep(0.02)


try:
    work()
except Exception:
    with open(f'{out}/failed', 'w') as file:
        file.write(traceback.format_exc())
    raise
