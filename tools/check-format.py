#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""clang-format (Debian 12's, version 14) leaves every C file as it is."""
import subprocess
import sys
from pathlib import Path

# Read by the assembler too, and texts that others compare.
EXCEPTIONS = ('lib/compel/arch/aarch64/syscall-code.h', 'lib/compel/arch/x86_64/syscall-code.h', 'lib/compel/plugins/std/syscall-entry.h', 'tests/golden/')
FOLDERS = ('src', 'lib', 'include', 'crit', 'tests', 'examples', 'plugins')
AT_ONCE = 40


def sources(top):
    """All C files of ours, relative to the top."""
    for folder in FOLDERS:
        for path in sorted((top / folder).rglob('*.[ch]')):
            name = str(path.relative_to(top))
            if not name.startswith(EXCEPTIONS):
                yield name


def check(top, names):
    """The files that clang-format would change."""
    for start in range(0, len(names), AT_ONCE):
        part = names[start:start + AT_ONCE]
        done = subprocess.run(['clang-format', '--dry-run', *part], cwd=top, capture_output=True, text=True, check=False)
        if done.returncode:
            yield done.stderr
        yield from sorted({line.partition(':')[0] for line in done.stderr.splitlines() if '-Wclang-format-violations' in line})


def main():
    top = Path(__file__).resolve().parent.parent
    try:
        changed = list(check(top, list(sources(top))))
    except FileNotFoundError:
        print('clang-format is missing: tools/install-deps test')
        return 77
    for name in changed:
        print(f'{name}: run clang-format -i on it')
    return bool(changed)


if __name__ == '__main__':
    sys.exit(main())
