# SPDX-License-Identifier: GPL-2.0-only
"""
A program that wants to know which copy it is: copied.py OUT ENV. Memory of its own, a fork with memory of its own and memory that it has from
its parent, memory that both share, a thread. As a copy it writes into OUT.K, K being its number, what it has found, changes all of that
memory, and looks after a while whether the others have changed it too. What is wrong is said in there as well.
"""
import ctypes
import json
import mmap
import os
import random
import socket
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / 'examples/tell'))
from criu_tell import Tell  # pylint: disable=wrong-import-position

OUT, ENV = sys.argv[1:]
SIZE = 32 << 20
PAGES = range(0, SIZE, 4096)


def fill(seed):
    """Memory with a known content."""
    memory = mmap.mmap(-1, SIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    memory[:] = random.Random(seed).randbytes(1 << 16) * (SIZE >> 16)
    return memory


def is_filled(memory, seed):
    """As it was filled."""
    return memory[:] == random.Random(seed).randbytes(1 << 16) * (SIZE >> 16)


def mark(memory, number, step):
    """Every so many pages get the number of the copy."""
    for at in PAGES[::step]:
        memory[at:at + 8] = number.to_bytes(8, 'little')


def is_marked(memory, number, step):
    """And nobody else has written there."""
    return all(memory[at:at + 8] == number.to_bytes(8, 'little') for at in PAGES[::step])


def protect(memory):
    """Nobody may touch it; returns where it is."""
    at = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    assert ctypes.CDLL(None).mprotect(ctypes.c_void_p(at), ctypes.c_size_t(SIZE), 0) == 0
    return at


def is_protected(at):
    """As the kernel says."""
    for line in Path('/proc/self/maps').read_text().splitlines():
        start, end = (int(word, 16) for word in line.split()[0].split('-'))
        if start <= at < end:
            return ' ---p ' in line
    return False


common = mmap.mmap(-1, 1 << 16)     # [0:8] the number of the copy, [8:16] what the child has done, [16:24] turns of the thread
inherited, own, hidden = fill(1), fill(2), fill(4)
hidden_at = protect(hidden)


def run_child():
    """The fork: waits until it is told the number, by shared memory, does the same, and says that it is done."""
    other = fill(3)
    inherited[:4096] = b'c' * 4096
    common[24:32] = (1).to_bytes(8, 'little')
    while not common[0]:
        time.sleep(0.01)
    number = int.from_bytes(common[0:8], 'little')
    good = is_filled(other, 3) and inherited[:4096] == b'c' * 4096 and inherited[4096:] == random.Random(1).randbytes(1 << 16)[4096:] + \
        random.Random(1).randbytes(1 << 16) * ((SIZE >> 16) - 1)
    good = good and is_protected(hidden_at)
    mark(other, number, 64)
    mark(inherited, number + 1000, 64)
    time.sleep(1)
    good = good and is_marked(other, number, 64) and is_marked(inherited, number + 1000, 64)
    common[8:16] = (number if good else 1 << 40).to_bytes(8, 'little')
    while True:
        time.sleep(60)


child = os.fork()
if not child:
    run_child()
told = []


def turn():
    """The thread."""
    while True:
        common[16:24] = (int.from_bytes(common[16:24], 'little') + 1).to_bytes(8, 'little')
        time.sleep(0.01)


def be_copy(number, of):
    """Looks at all, changes all."""
    wrong = []
    if not is_filled(inherited, 1) or not is_filled(own, 2):
        wrong.append('the memory is not what it was')
    if not is_protected(hidden_at):
        wrong.append('memory is not protected any more')
    turns = common[16:24]
    common[0:8] = number.to_bytes(8, 'little')
    mark(inherited, number, 128)
    mark(own, number, 128)
    while not int.from_bytes(common[8:16], 'little'):
        time.sleep(0.01)
    if int.from_bytes(common[8:16], 'little') != number or int.from_bytes(common[0:8], 'little') != number:
        wrong.append('the child has found, or has been told, something else')
    if not is_marked(inherited, number, 128) or not is_marked(own, number, 128):
        wrong.append('another copy has changed the memory')
    if common[16:24] == turns:
        wrong.append('the thread does not run')
    text = {'copy': number, 'of': of, 'pid': os.getpid(), 'child': child, 'parent': os.getppid(), 'host': socket.gethostname(),
            'env': Path(ENV).read_text(), 'net': os.readlink('/proc/self/ns/net'), 'wrong': wrong}
    Path(f'{OUT}.{number}.new').write_text(json.dumps(text))
    os.rename(f'{OUT}.{number}.new', f'{OUT}.{number}')


threading.Thread(target=turn, daemon=True).start()
TELL = Tell(lambda state, copies: told.append(state))
while not common[24]:
    time.sleep(0.01)
Path(OUT).write_text('ready')
while True:
    time.sleep(0.05)
    if told and told.pop() == Tell.RESTORED:
        be_copy(TELL.copy, TELL.of)
