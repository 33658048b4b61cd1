#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Programs that Python tests run lie in tests/programs/, not as texts in the tests: there they are read, checked and found like other code."""
import ast
import re
import sys
from pathlib import Path

# What only a program says: in Python, in C, in a shell.
MARKS = re.compile(r'^\s*(import \w|from \w+ import |def \w+\()|^#include |^#!|\bint main\(|^\s*(while|until|for|if)\b.*[;\n]\s*(do|then)\b', re.M)
MOST_STATEMENTS = 3         # of a program in one line: python3 -c 'import x; ...'


def text_of(node):
    """What a literal says, {} for each expression in it; None if it is none."""
    if isinstance(node, ast.Constant) and isinstance(node.value, (str, bytes)):
        return node.value if isinstance(node.value, str) else node.value.decode('latin-1')
    if isinstance(node, ast.JoinedStr):
        return ''.join(str(part.value) if isinstance(part, ast.Constant) else '{}' for part in node.values)
    return None


def texts(tree):
    """All literals but documentation: (line, text)."""
    passed = set()
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and isinstance(node.body[0], ast.Expr):
            passed.add(node.body[0].value)
        if isinstance(node, ast.JoinedStr):
            passed.update(node.values)
    for node in ast.walk(tree):
        text = text_of(node)
        if text is not None and node not in passed:
            yield node.lineno, text


def is_program(text):
    """Whether it is one that is worth a file."""
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith('#!')]
    if len(lines) > 1:
        return bool(MARKS.search(text))
    if not text.startswith(('import ', 'from ')):
        return False
    try:
        return len(ast.parse(text).body) > MOST_STATEMENTS
    except SyntaxError:
        return False


def main():
    top = Path(__file__).resolve().parents[1]
    found = 0
    for path in sorted((top / 'tests').rglob('*.py')):
        for line, text in texts(ast.parse(path.read_text(encoding='utf-8'))):
            if is_program(text):
                print(f'{path.relative_to(top)}:{line}: a program as text: make it a file in tests/programs')
                found += 1
    return found > 0


if __name__ == '__main__':
    sys.exit(main())
