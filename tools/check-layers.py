#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Layers are law: reads every #include of ours and complains about one that looks up or sideways.

The same table stands in docs/ARCHITECTURE.md for people; this check compares the two. Headers, too: what a source exports
stands in the header of its name.
"""
import re
import sys
from pathlib import Path

# Each layer, and the layers it may include besides itself. "proto" stands for the generated records.
LAYERS = {
    'base': [],
    'blob/abi': [],
    'arch': ['base', 'blob/abi', 'proto'],
    'blob': ['blob/abi', 'arch'],
    'kern': ['base', 'arch'],
    'image': ['base', 'proto'],
    'plan': ['base', 'blob/abi'],
    'lib/compel': ['base', 'arch', 'blob/abi', 'kern', 'plan'],
    'lib/soccr': [],
    'lib/criu': [],
    'task': ['base', 'image', 'proto'],
    'pages': ['base', 'kern', 'image'],
    'options': ['base', 'kern', 'proto'],
    'plugin': ['base'],
    'session': ['base', 'kern', 'image', 'plan', 'lib/compel', 'task', 'options'],
    'engine': ['base', 'session'],
    'object': ['base', 'arch', 'kern', 'image', 'plan', 'lib/compel', 'pages', 'options', 'plugin',
               'session', 'engine', 'proto'],
    'flow': ['base', 'arch', 'kern', 'image', 'plan', 'lib/compel', 'task', 'pages', 'options', 'plugin', 'session',
             'engine', 'object', 'proto'],
    'service': ['base', 'kern', 'image', 'options', 'session', 'flow', 'proto'],
    'command': ['base', 'kern', 'image', 'pages', 'options', 'flow', 'service'],
    'crit': ['base', 'image', 'proto'],
}

# Families of objects, from the lowest: each may use only those named here, through their <family>.h.
FAMILIES = {
    'namespace': [],
    'mount': ['namespace'],
    'net': ['namespace'],
    'file': ['namespace', 'mount', 'net'],
    'socket': ['file', 'mount', 'net'],
    'task': ['file', 'namespace'],
    'memory': ['file', 'namespace', 'task'],
    'ipc': ['memory', 'namespace', 'task'],
    'cgroup': ['namespace', 'task'],
}

# The header of a family, where it is not object/<family>/<family>.h.
FAMILY_HEADERS = {'task': 'object/task/part.h'}

# Headers of functions that are defined elsewhere, beside those of families.
TABLE_HEADERS = {'command/command.h': 'one function for each command: a table calls them'}
CPU_HEADERS = 'arch/'   # the same names for each CPU

INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"')


def layer_of(path):
    """The layer a path (relative to src/ or to the top for lib/) belongs to, or None."""
    for layer in sorted(LAYERS, key=len, reverse=True):
        if path.startswith(layer + '/'):
            return layer
    if '/' not in path and path.startswith('arch_'):
        return 'arch'
    if path.endswith('.pb-c.h') or path.startswith('proto/'):
        return 'proto'
    return None


def family_header(family):
    return FAMILY_HEADERS.get(family, f'object/{family}/{family}.h')


def check_object(here, there):
    """Rules between families; here and there are paths below src/."""
    mine, theirs = here.split('/')[1], there.split('/')[1]
    if '/' not in there[len('object/'):]:
        return None     # object/*.h: what all families share
    if mine == theirs or here.count('/') < 2:
        return None
    if there != family_header(theirs):
        return f'family {theirs} may be used only through {family_header(theirs)}'
    if theirs not in FAMILIES.get(mine, []):
        return f'family {mine} does not declare that it uses family {theirs}'
    return None


def check_include(here, there):
    """A complaint about file `here` including `there`, or None."""
    mine, theirs = layer_of(here), layer_of(there)
    if mine is None:
        return f'{here} belongs to no layer'
    if theirs is None:
        return f'"{there}" belongs to no layer (an include names the folder)'
    if mine == 'blob' and theirs == 'arch' and there not in ('arch_syscall.h', 'arch_blob.h'):
        return 'the blob may include only arch_syscall.h and arch_blob.h of arch'
    if mine != theirs and theirs not in LAYERS[mine]:
        return f'layer {mine} may not include layer {theirs}'
    if mine == theirs == 'object':
        return check_object(here, there)
    if mine == 'flow' and theirs == 'object' and there.count('/') == 2:
        family = there.split('/')[1]
        if there != family_header(family):
            return f'flow may use family {family} only through {family_header(family)}'
    return None


def check_sources(top):
    """Reads all sources; yields complaints."""
    for root in ('src', 'lib', 'crit'):
        for path in sorted((top / root).rglob('*')):
            if path.suffix not in ('.c', '.h', '.S'):
                continue
            name = str(path.relative_to(top))
            here = name[len('src/'):] if root == 'src' else name
            for number, line in enumerate(path.read_text().splitlines(), 1):
                match = INCLUDE.match(line)
                if not match or (here.startswith(('lib/', 'plugin/')) and match[1].count('/') == 0 and match[1].endswith('.h')
                                 and (top / 'include' / match[1]).exists()):
                    continue
                complaint = check_include(here, match[1])
                if complaint:
                    yield f'{name}:{number}: {complaint}'


def check_order():
    """Families are listed from the lowest: who could use one that comes later would make a cycle possible."""
    order = list(FAMILIES)
    for user, below in FAMILIES.items():
        for other in below:
            if order.index(other) >= order.index(user):
                yield f'family {user} may not use {other}, which comes later: that is a cycle, or the wrong order'


def check_unused(top):
    """Permissions that nobody uses."""
    used = set()
    for root in ('src', 'lib', 'crit'):
        for path in sorted((top / root).rglob('*')):
            if path.suffix not in ('.c', '.h', '.S'):
                continue
            here = str(path.relative_to(top / 'src' if root == 'src' else top))
            for there in re.findall(r'^\s*#\s*include\s+"([^"]+)"', path.read_text(), re.M):
                mine, theirs = layer_of(here), layer_of(there)
                used.add((mine, theirs))
                if mine == theirs == 'object':
                    used.add((here.split('/')[1], there.split('/')[1]))
    for table in (LAYERS, FAMILIES):
        for user, below in table.items():
            for other in below:
                if (user, other) not in used:
                    yield f'{user} may use {other}, but does not: take the permission away'


def strip_comments(text):
    return re.sub(r'/\*.*?\*/|"(?:\\.|[^"\\\n])*"', ' ', text, flags=re.S)


def declared_functions(text):
    """Names of the functions that a header declares, but not of those whose body stands in it."""
    text = re.sub(r'^\s*#.*(?:\\\n.*)*', '', strip_comments(text), flags=re.M)
    while re.search(r'\{[^{}]*\}', text):
        text = re.sub(r'\{[^{}]*\}', ';', text)
    for statement in text.split(';'):
        name = re.search(r'\b(\w+)\s*\((?!\*)', re.sub(r'__attribute__\s*\(\(.*\)\)', '', statement, flags=re.S))
        if name and not re.match(r'\s*(typedef|static|struct \w+\s*$)', statement):
            yield name[1]


def defined_functions(text):
    """Names of the functions that a source exports."""
    return re.findall(r'^(?!static\b)\w[^;{}()#=]*?\b(\w+)\([^;{}]*\)\n\{', strip_comments(text), re.M)


def check_headers(top):
    """A function is declared in the header that has the name of its source. A family has one header more, for others."""
    texts = {str(path.relative_to(top / 'src' if root == 'src' else top)): path.read_text()
             for root in ('src', 'lib/compel') for path in sorted((top / root).glob('*.[ch]' if root != 'src' else '**/*.[ch]'))}
    sources = {}
    for name, text in texts.items():
        for function in defined_functions(text) if name.endswith('.c') else ():
            sources.setdefault(function, []).append(name)
    words = {name: set(re.findall(r'\w+', strip_comments(text))) for name, text in texts.items()}
    facades = {family_header(family): f'object/{family}/' for family in FAMILIES}
    for header, text in texts.items():
        if not header.endswith('.h') or header.startswith(CPU_HEADERS) or header in TABLE_HEADERS:
            continue
        for function in declared_functions(text):
            homes = sources.get(function, [])
            if not homes or header[:-2] + '.c' in homes:
                continue
            own = homes[0][:-2] + '.h'
            if header not in facades:
                yield f'{header}: {function}() is defined in {homes[0]}: it belongs into {own}'
            elif not any(function in words[name] for name in words if not name.startswith(facades[header])):
                yield f'{header}: {function}() is used by no other family: it belongs into {own}'


def check_document(top):
    """The table in docs/ARCHITECTURE.md must say the same as LAYERS."""
    document = top / 'docs/ARCHITECTURE.md'
    if not document.exists():
        return
    told = {}
    section = document.read_text().partition('## Layers')[2].partition('\n## ')[0]
    for line in section.splitlines():
        match = re.match(r'\| `([a-z/]+)` \| ([^|]*) \|', line)
        if match and match[1] in LAYERS:
            told[match[1]] = sorted(re.findall(r'[a-z]+(?:/[a-z]+)?', match[2].replace('nothing', '')))
    for layer, below in LAYERS.items():
        if layer not in told:
            yield f'docs/ARCHITECTURE.md: the layer {layer} is missing in the table'
        elif told[layer] != sorted(below):
            yield f'docs/ARCHITECTURE.md: layer {layer}: the table says {told[layer]}, the check {sorted(below)}'


def main():
    top = Path(__file__).resolve().parent.parent
    complaints = [*check_sources(top), *check_order(), *check_unused(top), *check_headers(top), *check_document(top)]
    print('\n'.join(complaints))
    return bool(complaints)


if __name__ == '__main__':
    sys.exit(main())
