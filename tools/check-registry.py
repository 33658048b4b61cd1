#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""The lists in meson.build files are the registries: every source is in one, every kind is in its family's list.

Also checks what is true of every file: an SPDX line first, a comment saying what it is about, no CPU names outside arch/.
"""
import re
import sys
from pathlib import Path

# The libraries, and the layers of criu that they are built of.
LICENCES = dict.fromkeys(('lib/', 'include/', 'src/base/', 'src/arch/', 'src/kern/', 'src/plan/', 'src/blob/'), 'LGPL-2.1-only')
CPU = re.compile(r'^\s*#\s*(if|ifdef|ifndef|elif).*__(x86_64|aarch64|i386)__')
KIND = re.compile(r'^const struct (\w+_(?:kind|part)) (\w+)_(?:kind|part)\b', re.M)


def licence_of(name):
    """The licence a file must carry."""
    if name.endswith('meson.build'):
        return 'GPL-2.0-only'
    return next((licence for start, licence in LICENCES.items() if name.startswith(start)), 'GPL-2.0-only')


def check_heads(name, lines):
    """First line: licence; second: what it is about."""
    start = 1 if lines and lines[0].startswith('#!') else 0
    if len(lines) <= start or f'SPDX-License-Identifier: {licence_of(name)}' not in lines[start]:
        yield f'{name}:{start + 1}: wants "SPDX-License-Identifier: {licence_of(name)}" here'
    elif name.endswith(('.c', '.h')) and (len(lines) < 2 or not lines[1].startswith('/*')):
        yield f'{name}:2: wants a comment that says what this file is about'


def check_lines(name, lines):
    """What no line may contain."""
    for number, line in enumerate(lines, 1):
        if CPU.match(line) and not name.startswith(('src/arch/', 'tests/')):
            yield f'{name}:{number}: code for one CPU belongs into src/arch/'
        if re.search(r'(?<![\w.])/wor[k]/', line):
            yield f'{name}:{number}: a path of somebody\'s machine'


def check_sources(top):
    """Every C file below src/ and lib/ stands in a list of the meson.build of its folder or of one above."""
    for root in ('src', 'lib', 'crit'):
        for path in sorted((top / root).rglob('*.c')):
            lists = ''
            for folder in path.parents:
                if (folder / 'meson.build').exists():
                    lists += (folder / 'meson.build').read_text()
                if folder == top:
                    break
            if not re.search(rf"['/]{re.escape(path.stem)}(\.c)?'", lists):
                yield f'{path.relative_to(top)}: stands in no list of a meson.build'


def check_kinds(top):
    """Every kind defined below src/object/ is registered, and every registered one is defined in its file."""
    registry = top / 'src/object/meson.build'
    text = registry.read_text()
    registered = {}
    for match in re.finditer(r'^(\w+_(?:kind|part))s\s*=\s*\[(.*?)\]', text, re.M | re.S):
        registered[match[1]] = re.findall(r"'([\w/-]+)'", re.sub(r'#.*', '', match[2]))
    defined = {}
    for path in sorted((top / 'src/object').rglob('*.c')):
        for type_name, name in KIND.findall(path.read_text()):
            defined.setdefault(type_name, []).append(name)
            names = [entry.split('/')[-1].replace('-', '_') for entry in registered.get(type_name, [])]
            if type_name in registered and name not in names:
                yield f'{path.relative_to(top)}: {name} is missing in the list {type_name}s of src/object/meson.build'
    for type_name, names in registered.items():
        for name in names:
            if name.split('/')[-1].replace('-', '_') not in defined.get(type_name, []):
                yield f'src/object/meson.build: {name}: no "const struct {type_name} {name}..." is defined anywhere'


# Hooks that one kind alone fills in, and why they are hooks all the same.
SINGLE = {
    'file_kind.plan': 'the way for a kind to act in a task, which the core need not know',
    'task_part.collect': 'what threads share is looked for in all of them at once; the family knows no part',
    'task_part.again': 'what has come while the plans ran; the order of parts holds there, too',
    'namespace_kind.found': 'at once, by the walk that finds namespaces: all others are translated by the maps of user namespaces',
    'namespace_kind.adopt': 'whether a tree shall have one of its own is up to the kind: the walk names none',
    'namespace_kind.join': 'what a given user namespace means for the tree: for the others the walk does all',
    'namespace_kind.born': 'between birth and all others: the maps of a user namespace',
    'link_kind.needs': 'what is made outside of the tree: the other end of a veth',
    'link_kind.finish': 'when all devices are there: the active port of a bond',
}
HOOKS = (('file_kind', 'file/file.h'), ('task_part', 'task/part.h'), ('namespace_kind', 'namespace/namespace.h'), ('link_kind', 'net/link/link.h'))


def check_hooks(top):
    """No hook without a kind, none with one kind alone unless there is a reason."""
    sources = ''.join(path.read_text() for path in sorted((top / 'src/object').rglob('*.c')))
    for struct, header in HOOKS:
        kinds = re.findall(rf'^const struct {struct} \w+ = \{{(.*?)^\}};', sources, re.M | re.S)
        declaration = (top / 'src/object' / header).read_text().partition(f'struct {struct} {{')[2].partition('\n};')[0]
        for hook in re.findall(r'\(\*(\w+)\)\(', declaration):
            users = sum(f'\t.{hook} = ' in kind for kind in kinds)
            if users == 0:
                yield f'src/object/{header}: no kind has the hook {hook}'
            if (users == 1) != (f'{struct}.{hook}' in SINGLE):
                yield f'src/object/{header}: {users} kinds have the hook {hook}; SINGLE in tools/check-registry.py says otherwise'


def main():
    top = Path(__file__).resolve().parent.parent
    complaints = []
    for root in ('src', 'lib', 'crit', 'include', 'tests', 'tools'):
        for path in sorted((top / root).rglob('*')):
            name = str(path.relative_to(top))
            if path.suffix in ('.c', '.h', '.S', '.py', '.sh', '.def') or path.name == 'meson.build':
                lines = path.read_text().splitlines()
                complaints += [*check_heads(name, lines), *check_lines(name, lines)]
    complaints += [*check_sources(top), *check_kinds(top), *check_hooks(top)]
    print('\n'.join(complaints))
    return bool(complaints)


if __name__ == '__main__':
    sys.exit(main())
