#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""What parasites have of system calls: compel-syscalls.py codes|prototypes|assembly FUNCTIONS NUMBERS, two tables syscalls.def."""
import re
import sys
from pathlib import Path

HEAD = '/* SPDX-License-Identifier: LGPL-2.1-only */\n/* Made from syscalls.def. */\n'
# Those that use the restart block of the thread.
SLEEPING = 'nanosleep', 'futex'
FUNCTION = re.compile(r'(\w+)\s+(sys_\w+)\s+\((.*)\)$')
NUMBER = re.compile(r'(\w+)\s+(\d+)(?:\s+(\d+))?$')


def rows(path, pattern):
    """Yields the fields of each row."""
    for line in Path(path).read_text().splitlines()[2:]:
        match = pattern.match(line)
        if not match:
            sys.exit(f'{path}: cannot read: {line}')
        yield match.groups()


def join(functions, numbers):
    """Number, number in 32-bit code or None, name, function, arguments of each call that the CPU has."""
    known = {name: (number, number32) for name, number, number32 in rows(numbers, NUMBER)}
    for name, function, arguments in rows(functions, FUNCTION):
        if name in known:
            yield *known.pop(name), name, function, arguments
    if known:
        sys.exit(f'{numbers}: there is no function for {", ".join(known)}')


def codes(table):
    """The numbers."""
    print('#ifndef COMPEL_PLUGIN_STD_SYSCALL_CODES_H\n#define COMPEL_PLUGIN_STD_SYSCALL_CODES_H')
    for number, number32, name, _, _ in table:
        print(f'\n#ifndef __NR_{name}\n#define __NR_{name} {number}\n#endif')
        if number32:
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
    print('#include "syscall-code.h"\n#include "syscall-entry.h"\n')
    for number, _, name, function, arguments in table:
        # getsid(2) has an argument for the kernel, but not for parasites.
        kind = '_OF_SELF' if arguments == 'void' else '_THAT_SLEEPS' if name in SLEEPING else ''
        print(f'SYSCALL{kind}({function}, {number})')
    print('\n\t.section .note.GNU-stack, "", @progbits')


def main():
    print(HEAD, end='')
    {'codes': codes, 'prototypes': prototypes, 'assembly': assembly}[sys.argv[1]](list(join(sys.argv[2], sys.argv[3])))


if __name__ == '__main__':
    main()
