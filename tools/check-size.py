#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""No file over 600 lines and no function over 60, unless named here with a reason; no folder of src over 20 sources."""
import ast
import re
import sys
from pathlib import Path

MAX_FILE, MAX_FUNCTION, MAX_SOURCES = 600, 60, 20

# 'path' or 'path:function' -> the reason why it may be longer.
EXCEPTIONS = {
}


def functions_of_c(lines):
    """Yields name, first line and length of each function: its braces stand in the first column."""
    start = name = None
    for number, line in enumerate(lines, 1):
        if line == '{':
            head = ' '.join(lines[max(0, number - 4):number - 1])
            names = re.findall(r'(\w+)\s*\(', re.split(r'[;}]', head)[-1])
            start, name = number, names[0] if names else '?'
        elif line.startswith('}') and start:
            yield name, start, number - start - 1
            start = None


def functions_of_python(text):
    """The same for Python."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            yield node.name, node.lineno, node.end_lineno - node.lineno


def check(top, name):
    """Yields complaints about one file."""
    text = (top / name).read_text()
    lines = text.splitlines()
    if len(lines) > MAX_FILE and name not in EXCEPTIONS:
        yield f'{name}: {len(lines)} lines, {MAX_FILE} are allowed'
    for function, start, length in functions_of_python(text) if name.endswith('.py') else functions_of_c(lines):
        if length > MAX_FUNCTION and f'{name}:{function}' not in EXCEPTIONS:
            yield f'{name}:{start}: {function} has {length} lines, {MAX_FUNCTION} are allowed'


def main():
    top = Path(__file__).resolve().parent.parent
    files = [str(path.relative_to(top)) for root in ('src', 'lib', 'crit', 'include', 'tests', 'tools')
             for path in sorted((top / root).rglob('*')) if path.suffix in ('.c', '.h', '.py')]
    complaints = [complaint for name in files for complaint in check(top, name)]
    folders = {path.parent for path in (top / 'src').rglob('*.c')}
    complaints += [f'{folder.relative_to(top)}: more than {MAX_SOURCES} sources: which of them belong together?'
                   for folder in sorted(folders) if len([*folder.glob('*.c')]) > MAX_SOURCES]
    print('\n'.join(complaints))
    return bool(complaints)


if __name__ == '__main__':
    sys.exit(main())
