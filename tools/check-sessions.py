#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Sessions name no family: src/session/session.h has room for the states of others, and does not know them.

Refused are the structs that src/object, src/flow and src/pages define, the records of images, and headers of any of
them. What is meant is found out from the sources, so that a new family is guarded against as well.
"""
import re
import sys
from pathlib import Path

HEADERS = ('src/session/session.h', 'src/session/state.h')
ABOVE = ('src/object', 'src/flow', 'src/pages')


def structs_of(top):
    """struct tag -> where it is defined."""
    return {tag: str(path.relative_to(top)) for root in ABOVE for path in sorted((top / root).rglob('*.[ch]'))
            for tag in re.findall(r'^\s*struct (\w+)\s*\{', path.read_text(), re.M)}


def records_of(top):
    """C name of a message -> its .proto."""
    return {''.join(word.capitalize() for word in name.split('_')): str(path.relative_to(top))
            for path in sorted((top / 'proto').glob('*.proto'))
            for name in re.findall(r'^message (\w+)', path.read_text(), re.M)}


def check(name, text, structs, records):
    """Yields complaints about one header."""
    for number, line in enumerate(text.splitlines(), 1):
        include = re.match(r'\s*#\s*include "([^"]+)"', line)
        if include and re.match(r'(object|flow|pages|proto)/|.*\.pb-c\.h$', include[1]):
            yield f'{name}:{number}: includes "{include[1]}"'
        for tag in re.findall(r'\bstruct (\w+)', line):
            if tag in structs:
                yield f'{name}:{number}: names struct {tag} of {structs[tag]}'
        for word in re.findall(r'\b\w+\b', line):
            if word in records:
                yield f'{name}:{number}: names the record {word} of {records[word]}'
        if 'object/' in line:
            yield f'{name}:{number}: names a family'


def main():
    top = Path(__file__).resolve().parent.parent
    structs, records = structs_of(top), records_of(top)
    assert 'object_family' not in structs and 'file_kind' in structs and 'FsEntry' in records
    complaints = [complaint for name in HEADERS
                  for complaint in check(name, (top / name).read_text(), structs, records)]
    print('\n'.join(complaints))
    return bool(complaints)


if __name__ == '__main__':
    sys.exit(main())
