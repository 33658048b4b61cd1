#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""What parasites have of system calls, from the table syscalls.def: compel-syscalls.py codes|prototypes|assembly TABLE."""
import re
import sys
from pathlib import Path

HEAD = '/* SPDX-License-Identifier: LGPL-2.1-only */\n/* Made from syscalls.def. */\n'
# Those that use the restart block of the thread.
SLEEPING = 'nanosleep', 'futex'
ROW = re.compile(r'(-?\d+)\s+(-?\d+)\s+(\w+)\s+(sys_\w+)\s+\((.*)\)$')


def rows(path):
    """Yields number, number in 32-bit code, name, function, arguments."""
    for line in Path(path).read_text().splitlines()[2:]:
        match = ROW.match(line)
        if not match:
            sys.exit(f'{path}: cannot read: {line}')
        yield match.groups()


def codes(table):
    """The numbers."""
    print('#ifndef COMPEL_PLUGIN_STD_SYSCALL_CODES_H\n#define COMPEL_PLUGIN_STD_SYSCALL_CODES_H')
    for number, number32, name, _, _ in table:
        print(f'\n#ifndef __NR_{name}\n#define __NR_{name} {number}\n#endif')
        if number32 != '-1':
            print(f'#define __NR32_{name} {number32}')
    print('\n#endif')


def prototypes(table):
    """The functions."""
    print('#ifndef COMPEL_PLUGIN_STD_SYSCALL_64_H\n#define COMPEL_PLUGIN_STD_SYSCALL_64_H\n')
    print('#include <compel/plugins/std/syscall-types.h>\n')
    for _, _, _, function, arguments in table:
        print(f'long {function}({arguments});')
    print('\n/* Where a signal handler of a parasite returns to: rt_sigaction_t.rt_sa_restorer. */')
    print('void __cr_restore_rt(void);\n\n#endif')


def assembly(table):
    """The code, each function in a section of its own."""
    print('#include "syscall-entry.h"\n')
    for number, _, name, function, arguments in table:
        # getsid(2) has an argument for the kernel, but not for parasites.
        kind = '_OF_SELF' if arguments == 'void' else '_THAT_SLEEPS' if name in SLEEPING else ''
        print(f'SYSCALL{kind}({function}, {number})')
    print('\n\t.section .note.GNU-stack, "", @progbits')


def main():
    print(HEAD, end='')
    {'codes': codes, 'prototypes': prototypes, 'assembly': assembly}[sys.argv[1]](list(rows(sys.argv[2])))


if __name__ == '__main__':
    main()
