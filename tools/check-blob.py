#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Checks the blob, check-blob.py BLOB.ELF BLOB.BIN NM OBJDUMP: small, complete in itself, no data, no relocations, a system
call where the others expect one."""
import re
import subprocess
import sys
from pathlib import Path

LARGEST = 4032          # ARENA_WAKEUP
SYSCALL_AT = 16         # BLOB_SYSCALL
# The system call instruction, by e_machine.
SYSCALLS = {
    b'\x3e\0': b'\x0f\x05',          # x86-64
    b'\xb7\0': b'\x01\0\0\xd4',      # aarch64
}
FORBIDDEN = re.compile(r'^\.(data|bss|got|rela?|dynamic|dynsym|interp|init_array|tdata|tbss)\b')


def run(*words):
    """What a tool prints."""
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout


def main():
    elf, flat, nm, objdump = sys.argv[1:]
    code = Path(flat).read_bytes()
    wrong = []
    if not 0 < len(code) <= LARGEST:
        wrong.append(f'it has {len(code)} bytes, at most {LARGEST} fit')
    for line in run(nm, '--undefined-only', elf).splitlines():
        wrong.append(f'undefined symbol: {line.split()[-1]}')
    for line in run(objdump, '-h', '-w', elf).splitlines():
        words = line.split()
        if len(words) > 2 and words[0].isdigit() and FORBIDDEN.match(words[1]) and int(words[2], 16):
            wrong.append(f'section {words[1]} has {int(words[2], 16)} bytes')
    if re.search(r'^[0-9a-f]+ R_', run(objdump, '-r', elf), re.M):
        wrong.append('it has relocations')
    starts = [line.split() for line in run(nm, elf).splitlines() if line.endswith(' blob_start')]
    if not starts or int(starts[0][0], 16):
        wrong.append('blob_start is not at its beginning')
    instruction = SYSCALLS.get(Path(elf).read_bytes()[18:20], b'')
    if not code[SYSCALL_AT:].startswith(instruction):
        wrong.append(f'no system call instruction at offset {SYSCALL_AT}')
    for text in wrong:
        print(f'{elf}: {text}')
    return 1 if wrong else 0


if __name__ == '__main__':
    sys.exit(main())
