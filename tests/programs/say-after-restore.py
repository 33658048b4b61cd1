# SPDX-License-Identifier: GPL-2.0-only
"""Says what an expression is worth when it is asked to: after a restore, in its namespaces.

usage: say-after-restore.py FOLDER EXPRESSION [FUNCTION]; FUNCTION is one below without arguments, which is called first. Files in FOLDER:
"ready", then it waits for "go", writes "said", and ends when there is "end".
"""
import ctypes
import os
import signal
import sqlite3
import sys
import time

folder, expression = sys.argv[1:3]
pids = ['self']         # of it and its worker, for table()
before = db = None


def table():
    """Of each mount below / its place, what it shows, its flags, and which of them are peers or masters of which."""
    numbers, rows = {}, []
    for pid in pids:
        with open(f'/proc/{pid}/mountinfo', encoding='utf-8') as file:
            lines = sorted(file, key=lambda line: line.split()[4])
        for line in lines:
            f = line.split()
            end = f.index('-')
            marks = [word.split(':')[0] + str(numbers.setdefault(word.split(':')[1], len(numbers))) for word in f[6:end]]
            rows.append((pid, f[3] if f[end + 1] == 'tmpfs' else '', f[4], f[5], f[end + 1], *marks))
    return rows


def remember():
    """Keeps what it sees now, for same()."""
    global before
    before = table()


def same():
    """Whether it sees the same as then; if not, what is missing and what is new."""
    now = table()
    return str(now == before or [row for row in before if row not in now] + [0] + [row for row in now if row not in before])


def start_worker(work=lambda: None):
    """A child with a mount namespace of its own."""
    r, w = os.pipe()
    pid = os.fork()
    if not pid:
        ctypes.CDLL(None).unshare(0x20000)
        work()
        os.write(w, b'.')
        signal.pause()
    os.read(r, 1)
    pids.append(pid)


def mount_in_worker():
    """A worker that has something else in the place of /first."""
    start_worker(lambda: os.system('umount /first; mount -t tmpfs own /first; echo -n mine > /first/own'))


def share_again():
    """Makes /first private and shared again; a worker has a copy of the namespace."""
    os.system('mount --make-private /first; mount --make-shared /first')
    start_worker()
    remember()


def make_database():
    """An open database in /data, among files whose inode numbers have gaps."""
    global db
    for i in range(50):
        os.close(os.open(f'/data/{i}', os.O_CREAT | os.O_WRONLY))
    db = sqlite3.connect('/data/base')
    db.execute('create table t (a)')
    db.execute('insert into t values (40)')
    db.commit()
    for i in range(0, 50, 2):
        os.unlink(f'/data/{i}')


if len(sys.argv) > 3:
    globals()[sys.argv[3]]()
open(folder + '/ready', 'w').close()
while not os.path.exists(folder + '/go'):
    time.sleep(0.01)
text = eval(expression)
with open(folder + '/said.new', 'w', encoding='utf-8') as out:
    out.write(text)
os.rename(folder + '/said.new', folder + '/said')
while not os.path.exists(folder + '/end'):
    time.sleep(0.01)
