#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Makes the C table of the field options that the .proto files carry: field-options.py OUTPUT FILE.proto...

protobuf-c keeps no custom options at run time, and crit needs them to print numbers as people read them. A field and its
options stand on one line in our files: required uint32 dev = 4 [(criu).dev = true, (criu).odev = true];
"""
import re
import sys
from pathlib import Path

MESSAGE = re.compile(r'^message (\w+) {')
FIELD = re.compile(r'^\t(?:required|optional|repeated) \S+ \w+ = (\d+) \[(.*)\];')
OPTION = re.compile(r'\(criu\)\.(\w+) = (true|"[^"]*")')
KNOWN = {'hex', 'ipadd', 'dev', 'odev', 'flags', 'dict', 'conv'}


def rows_of(path):
    """Yields message, field number and options of every field that has some."""
    message = None
    for number, line in enumerate(path.read_text().splitlines(), 1):
        begin, field = MESSAGE.match(line), FIELD.match(line)
        if begin:
            message = begin[1]
        options = OPTION.findall(line)
        if not options:
            if '(criu)' in line:
                sys.exit(f'{path}:{number}: options that this program cannot read')
            continue
        if not field or not message or not {name for name, _ in options} <= KNOWN:
            sys.exit(f'{path}:{number}: options that this program cannot read')
        yield message, int(field[1]), options


def main():
    rows = sorted(row for name in sys.argv[2:] for row in rows_of(Path(name)))
    lines = ['/* Made by tools/field-options.py from the .proto files. */', '#include "crit/field-options.h"', '',
             'const struct field_options field_options_table[] = {']
    for message, number, options in rows:
        members = ', '.join(f'.{name} = {value}' for name, value in options)
        lines.append(f'\t{{ .message = "{message}", .number = {number}, {members} }},')
    lines += ['};', '', 'const size_t field_options_count = sizeof(field_options_table) / sizeof(field_options_table[0]);', '']
    Path(sys.argv[1]).write_text('\n'.join(lines))


if __name__ == '__main__':
    main()
