#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Names that explain themselves: no function of one bare word, no struct tag that means two things, no newline in a message, one
spelling of "cannot", one idiom for errors."""
import re
import sys
from pathlib import Path

# What the C library or an interface that others use prescribes.
BARE = {'main', 'memcpy', 'memset', 'memcmp', 'memmove', 'strlen'}
OWN_NAMES = ('lib/compel/plugins/',)     # a library for programs without libc: its names are those of libc
SHORT = re.compile(r'x(malloc|zalloc|realloc|strdup|printf)')
FUNCTION = re.compile(r'^(?!typedef|return|else)[a-z_](?:[\w \*]|__attribute__\(\(\w+\)\))*[ \*]([a-z]+)\((?!\*|\()[^;]*$', re.M)
TAG = re.compile(r'^struct (\w+) \{', re.M)
LITERAL = r'"(?:\\.|[^"\\\n])*"'
MESSAGE = r'\b(?:log_(?:error|warn|info|debug)|fail|fail_errno|refuse)\((?:[^;"]*?,)?\s*'
NEWLINE = re.compile(MESSAGE + rf'(?:(?:{LITERAL}|PRI\w+)\s*)*"(?:\\.|[^"\\\n])*\\n"\s*[,)]')
CANNOT = re.compile(r"\b[Cc]an't\b")
# One idiom for failures: a variable is called error (ret is a parameter), and what cannot be done is EOPNOTSUPP.
ERROR = re.compile(r'^\t+int (?:err|ret|rc|res)\b|\bENOTSUP\b', re.M)


def check_text(name, text):
    """Complaints about one file."""
    for match in FUNCTION.finditer(text):
        if match[1] not in BARE and not SHORT.fullmatch(match[1]) and not name.startswith(OWN_NAMES):
            yield f'{name}:{text.count(chr(10), 0, match.start()) + 1}: {match[1]}() says too little: which object?'
    for match in NEWLINE.finditer(text):
        yield f'{name}:{text.count(chr(10), 0, match.start()) + 1}: a log line gets its newline by itself'
    for match in CANNOT.finditer(text):
        yield f'{name}:{text.count(chr(10), 0, match.start()) + 1}: it is spelled "cannot" here'
    for match in ERROR.finditer(text):
        if not name.startswith(OWN_NAMES):
            yield f'{name}:{text.count(chr(10), 0, match.start()) + 1}: "{match[0].strip()}": error, EOPNOTSUPP'


def check(top):
    """Complaints about all files."""
    tags = {}
    for root in ('src', 'lib', 'crit'):
        for path in sorted((top / root).rglob('*.[ch]')):
            name, text = str(path.relative_to(top)), path.read_text()
            yield from check_text(name, text)
            for tag in TAG.findall(text):
                # A CPU has its own, at the same place.
                if re.sub(r'/arch/\w+/', '/arch/', tags.setdefault(tag, name)) != re.sub(r'/arch/\w+/', '/arch/', name):
                    yield f'{name}: struct {tag} is defined in {tags[tag]} too'


def main():
    complaints = list(check(Path(__file__).resolve().parent.parent))
    print('\n'.join(complaints))
    return bool(complaints)


if __name__ == '__main__':
    sys.exit(main())
