#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Makes what users read of the option table: the option part of the manual, and the completion for bash.

usage: tools/option-docs.py man OPTIONS.DEF TEMPLATE NAME=VALUE...     @OPTIONS@ and @NAME@ in the template are replaced
       tools/option-docs.py completion OPTIONS.DEF TEMPLATE
"""
import re
import sys
from pathlib import Path

# The words of options.def for sets of commands.
COMMANDS = {
    'DUMP': ['dump'], 'PRE_DUMP': ['pre-dump'], 'RESTORE': ['restore'], 'LAZY_PAGES': ['lazy-pages'], 'CHECK': ['check'], 'VERIFY': ['verify'], 'INSPECT': ['inspect'],
    'RECEIVE': ['receive'], 'UNDO': ['undo'], 'MIGRATE': ['migrate'],
    'PAGE_SERVER': ['page-server'], 'SERVICE': ['service'], 'CPUINFO': ['cpuinfo'], 'CPUINFO_DUMP': ['cpuinfo'],
}
COMMANDS['PAGE_CLIENTS'] = ['dump', 'pre-dump', 'lazy-pages', 'page-server']
COMMANDS['SERVERS'] = COMMANDS['PAGE_CLIENTS'] + ['service']
COMMANDS['ALL'] = ['dump', 'pre-dump', 'restore', 'lazy-pages', 'check', 'verify', 'inspect', 'receive', 'migrate', 'undo', 'page-server', 'service', 'swrk', 'dedup',
                   'cpuinfo']

# How bash shall complete a value, by the name of the argument.
FILES = ('FILE', 'PATH', '[CTRL:]PATH')
DIRS = ('DIR',)
WORDS = {
    'manage-cgroups': 'none props soft full strict ignore', 'network-lock': 'iptables nftables skip',
    'file-validation': 'filesize buildid', 'pre-dump-mode': 'splice read', 'cpu-cap': 'cpu fpu ins all none',
    'empty-ns': 'net', 'compress': 'zstd lz4 none', 'unix-peer': 'close reconnect given refuse',
    'joined': 'save leave refuse',
    'post-copy': 'always auto never',
}


class Option:
    """One row of options.def."""

    def __init__(self, fields):
        name, letter, self.argument, _, _, commands, negatable, _, value, text = fields
        self.name, self.letter = name, letter.strip("'") if letter != '0' else ''
        self.commands = sorted({c for word in commands.split('|') for c in COMMANDS[word.strip()]})
        self.negatable = negatable == 'NEG'
        self.value = None if value == 'NULL' else value
        self.text = None if text == 'NULL' else text


def split_fields(text):
    """The arguments of one macro call; neighbouring strings become one."""
    fields, field, strings = [], '', None
    for token in re.findall(r'"(?:[^"\\]|\\.)*"|\([^()]*\)|,|[^",()]+', text):
        if token == ',':
            fields.append(strings if strings is not None else field.strip())
            field, strings = '', None
        elif token.startswith('"'):
            strings = (strings or '') + re.sub(r'\\(.)', r'\1', token[1:-1])
        else:
            field += token
    return fields + [strings if strings is not None else field.strip()]


def read_table(path):
    """Groups as (title, options), in the order of the table."""
    text = re.sub(r'/\*.*?\*/', '', Path(path).read_text(), flags=re.S)
    groups = []
    for kind, body in re.findall(r'^(GROUP|OPTION)\((.*?)\)\n(?=\s*(?:GROUP|OPTION|\Z))', text, re.M | re.S):
        if kind == 'GROUP':
            groups.append((split_fields(body)[0], []))
        else:
            groups[-1][1].append(Option(split_fields(body)))
    return groups


def troff(text):
    """Text that groff prints as it is."""
    text = text.replace('\\', '\\e').replace('-', '\\-')
    return re.sub(r"^([.'])", r'\\&\1', text)


def man_option(option):
    """One paragraph of the manual."""
    forms = [f'\\-{option.letter}'] if option.letter else []
    forms.append('\\-\\-' + troff(option.name))
    if option.negatable:
        forms.append('\\-\\-no\\-' + troff(option.name))
    head = ', '.join(f'\\fB{form}\\fR' for form in forms)
    if option.value:
        value = f'\\fI{troff(option.value)}\\fR'
        head += f'[={value}]' if option.argument == 'MAYBE' else f' {value}'
    where = '' if len(option.commands) == len(COMMANDS['ALL']) else ' For ' + ', '.join(option.commands) + '.'
    text = option.text[0].upper() + option.text[1:]
    return f'.TP\n{head}\n{troff(text + "." + where)}\n'


def make_man(groups, template, *values):
    """The whole manual."""
    lines = ''
    for title, options in groups:
        lines += f'.SS {title}\n' + ''.join(man_option(option) for option in options if option.text)
    for value in values:
        name, _, text = value.partition('=')
        template = template.replace(f'@{name}@', troff(text))
    return template.replace('@OPTIONS@\n', lines)


def make_completion(groups, template):
    """Tables for the completion: options of each command, options with a value, words of values."""
    options = [option for _, group in groups for option in group if option.text]
    lines = []
    for command in COMMANDS['ALL']:
        names = []
        for option in options:
            if command in option.commands:
                names.append('--' + option.name + ('=' if option.argument == 'NEEDED' else ''))
                names += ['--no-' + option.name] if option.negatable else []
        lines.append(f'\t[{command}]="{" ".join(names)}"')

    def by_value(values):
        names = [f'--{o.name}' for o in options if o.value in values]
        return '|'.join(names + [f'-{o.letter}' for o in options if o.value in values and o.letter])
    text = template.replace('@COMMANDS@', ' '.join(COMMANDS['ALL']))
    text = text.replace('@OPTIONS@\n', '\n'.join(lines) + '\n')
    text = text.replace('@FILES@', by_value(FILES)).replace('@DIRS@', by_value(DIRS))
    known = {option.name for option in options}
    words = '\n'.join(f'\t[--{name}]="{words}"' for name, words in WORDS.items() if name in known)
    return text.replace('@WORDS@\n', words + '\n')


def main():
    """See the head of this file."""
    kind, table, template = sys.argv[1:4]
    make = {'man': make_man, 'completion': make_completion}[kind]
    sys.stdout.write(make(read_table(table), Path(template).read_text(), *sys.argv[4:]))


if __name__ == '__main__':
    main()
