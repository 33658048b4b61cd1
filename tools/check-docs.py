#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""What documents name is there: every function `name()`, every path of this tree, every source. Lines have at most 100 columns, but in
tables and code. What proto/ has beside CRIU's fields is explained there."""
import re
import sys
from pathlib import Path

COLUMNS = 100
FUNCTION = re.compile(r'`(\w+)\(\)`')
PATH = re.compile(r'`?\b((?:src|lib|tests|tools|docs|examples|plugins|include|crit|proto)/[\w./-]*\w)')
SOURCE = re.compile(r'`([a-z][a-z0-9-]*(?:/[a-z0-9-]+)*\.(?:c|h|def|py|S))`')
# Of the C library, of systems, or of programs that use us.
OTHERS = {'main', 'fork', 'poll', 'ppoll', 'mmap', 'ioctl', 'getsockopt', 'setsockopt', 'accept', 'nanosleep', 'open', 'read', 'write', 'exit',
          'execve', 'clone3', 'ptrace', 'setns', 'select', 'malloc', 'waitpid', 'sigreturn', 'dlopen'}


def names_of(top):
    """All identifiers that are followed by a parenthesis somewhere in the sources."""
    found = set()
    for root in ('src', 'lib', 'crit', 'include', 'tests', 'examples', 'plugins', 'proto'):
        for path in (top / root).rglob('*'):
            if path.suffix in ('.c', '.h', '.py', '.def', '.S', '.proto'):
                found |= set(re.findall(r'\b(\w+)\(', path.read_text(errors='replace')))
    return found


def files_of(top):
    """All files below the folders of sources, by every end of their path: a/b.c, b.c."""
    found = set()
    for root in ('src', 'lib', 'crit', 'include', 'tests', 'examples', 'plugins', 'proto', 'tools'):
        for path in (top / root).rglob('*.*'):
            parts = path.relative_to(top).parts
            found |= {'/'.join(parts[at:]) for at in range(len(parts))}
    return found


def check_page(top, path, known, files):
    """Complaints about one page."""
    code = False
    for number, line in enumerate(path.read_text().splitlines(), 1):
        where = f'{path.relative_to(top)}:{number}'
        if line.lstrip().startswith('```'):
            code = not code
        if len(line) > COLUMNS and not code and not line.lstrip().startswith('|') and ' ' in line.strip():
            yield f'{where}: {len(line)} columns, {COLUMNS} are allowed'
        for name in FUNCTION.findall(line):
            if name not in known and name not in OTHERS:
                yield f'{where}: there is no function {name}()'
        for name in SOURCE.findall(line):
            if name not in files:
                yield f'{where}: there is no {name}'
        for name in PATH.findall(line):
            if '*' not in line and not (top / name).exists() and not list(top.glob(name + '*')):
                yield f'{where}: there is no {name}'


def check_own_fields(path):
    """Fields and values of our own, from 1001 on, have a comment: behind them, or above a group of them."""
    explained = False
    for number, line in enumerate(path.read_text().splitlines(), 1):
        own = re.match(r'\s*(?:(?:optional|required|repeated)\s+[\w.]+\s+)?(\w+)\s*=\s*1\d{3}\b', line)
        if own and '//' not in line and not explained:
            yield f'{path.parent.name}/{path.name}:{number}: say what {own[1]} is for'
        explained = '//' in line or '*/' in line or (bool(own) and explained)


def main():
    top = Path(__file__).resolve().parent.parent
    known, files = names_of(top), files_of(top)
    complaints = [text for path in [top / 'README.md', *sorted((top / 'docs').glob('*.md'))] for text in check_page(top, path, known, files)]
    complaints += [text for path in sorted((top / 'proto').glob('*.proto')) if path.name != 'opts.proto' for text in check_own_fields(path)]
    print('\n'.join(complaints))
    return bool(complaints)


if __name__ == '__main__':
    sys.exit(main())
