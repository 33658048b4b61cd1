# SPDX-License-Identifier: GPL-2.0-only
"""usage: append-numbers.py FILE MEBIBYTES: writes 1, 2, 3, ... at the end of the file, a line each, and changes a twentieth of its memory all the time. The number is in shared memory as well."""
import mmap
import os
import sys
import time


def main():
    """See the head of this file."""
    page, memory = 4096, bytearray(os.urandom(1 << 20)) * int(sys.argv[2])
    changing, number, at = len(memory) // 20, 0, 0
    shared = mmap.mmap(-1, 1 << 16)
    with open(sys.argv[1], 'ab', buffering=0) as file:
        while True:
            assert int.from_bytes(shared[:8], 'little') == number
            number += 1
            shared[:8] = number.to_bytes(8, 'little')
            file.write(b'%d\n' % number)
            for _ in range(64):
                memory[at] = number & 255
                at = (at + page) % changing
            time.sleep(0.002)


main()
