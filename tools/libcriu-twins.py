#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Writes the functions of libcriu that work on one hidden set of options, from the header: criu_NAME() calls criu_local_NAME().

    libcriu-twins.py include/criu.h global.c
"""
import re
import sys
from pathlib import Path

HEAD = '''/* SPDX-License-Identifier: LGPL-2.1-only */
/* The functions that work on one hidden set of options: made from criu.h by tools/libcriu-twins.py. */
#include "lib/criu/internal.h"

static criu_opts *the_opts;

int criu_init_opts(void)
{
	return criu_local_init_opts(&the_opts);
}

void criu_free_opts(void)
{
	criu_local_free_opts(the_opts);
	the_opts = NULL;
}
'''
OWN = ('criu_init_opts', 'criu_free_opts')
DECLARATION = re.compile(r'^(\w[\w \*]*?[ \*])(criu_\w+)\(([^;]*)\);', re.M)


def parameter_names(parameters):
    """The names in a list of parameters; a function pointer's stands in brackets."""
    depth, text = 0, ''
    for character in parameters:
        depth += {'(': 1, ')': -1}.get(character, 0)
        text += '\0' if character == ',' and not depth else character
    for one in text.split('\0'):
        yield (re.search(r'\(\*(\w+)\)', one) or re.search(r'(\w+)(?:\[\])?\s*$', one))[1]


def main():
    text = re.sub(r'/\*.*?\*/', '', Path(sys.argv[1]).read_text(), flags=re.S)
    functions = {name: (kind, ' '.join(parameters.split())) for kind, name, parameters in DECLARATION.findall(text)}
    out = HEAD
    for name, (kind, parameters) in functions.items():
        local = 'criu_local_' + name[len('criu_'):]
        if name in OWN or local not in functions:
            continue
        names = ['the_opts', *([] if parameters == 'void' else parameter_names(parameters))]
        out += f'\n{kind}{name}({parameters})\n{{\n\t{"return " if kind.strip() != "void" else ""}{local}({", ".join(names)});\n}}\n'
    Path(sys.argv[2]).write_text(out)


if __name__ == '__main__':
    main()
