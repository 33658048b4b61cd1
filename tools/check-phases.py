#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""The phases: the table in docs/ARCHITECTURE.md says what src/engine/phases.def says, what undoes a phase is there, every phase
is used, and the two stories stay stories."""
import re
import sys
from pathlib import Path

ROW = re.compile(r'^PHASE\((\w+), (\w+), (\w+), (\w+), (\w+), (\w+), "([^"]*)"\)$', re.M)
WHOM = {'TREE': 'tree', 'TASK': 'task', 'THREAD': 'thread', 'TASK_STEPS': 'steps of a task', 'THREAD_STEPS': 'steps of a thread',
        'MEMBERS': 'members', 'FLOW': 'flow'}
STORY_LINES = 200


def read_phases(top):
    """The rows of phases.def as (phase, what for, may fail, undone by)."""
    return [(f'{direction}/{name}', WHOM[what], 'yes' if fails == 'MAY_FAIL' else 'no', undo)
            for direction, name, what, fails, _, _, undo in ROW.findall((top / 'src/engine/phases.def').read_text())]


def check_document(top, rows):
    """The table for people."""
    section = (top / 'docs/ARCHITECTURE.md').read_text().partition('## The phases')[2].partition('\n## ')[0]
    told = re.findall(r'^\| `([a-z_/]+)` \| ([^|]*) \| (yes|no) \| ([^|]*) \|', section, re.M)
    for row in rows:
        if row not in told:
            yield f'docs/ARCHITECTURE.md: the table of phases lacks: | `{row[0]}` | {" | ".join(row[1:])} |'
    for row in told:
        if row not in rows:
            yield f'docs/ARCHITECTURE.md: src/engine/phases.def has no such phase: {row}'
    if not set(told) ^ set(rows) and told != rows:
        yield 'docs/ARCHITECTURE.md: the phases stand in another order than in src/engine/phases.def'


def check_rows(rows):
    """What undoes a phase is a later one."""
    names = [row[0] for row in rows]
    for at, (name, _, _, undo) in enumerate(rows):
        if re.fullmatch(r'(dump|restore)/\w+', undo) and undo not in names[at + 1:]:
            yield f'src/engine/phases.def: {name} is undone by {undo}, which is no later phase'
    if len(set(names)) != len(names):
        yield 'src/engine/phases.def: a phase is there twice'


def check_use(top, rows):
    """Each phase is walked or announced by somebody, and those for families have a family that takes part."""
    text = ''.join(path.read_text() for folder in ('flow', 'object') for path in sorted((top / 'src' / folder).rglob('*.c')))
    for name, whom, _, _ in rows:
        word = name.replace('/', '_')
        if whom in ('members', 'flow'):
            if not re.search(rf'\bPHASE_{word}\b', text):
                yield f'{name}: nobody announces it'
        elif f'phase_{word}(' not in text:
            yield f'{name}: src/flow does not walk it'
        elif not re.search(rf'^\t\.{word} = ', text, re.M):
            yield f'{name}: no family takes part'


def check_stories(top):
    """dump.c and restore.c read like a table of contents."""
    for name in ('src/flow/dump.c', 'src/flow/restore.c'):
        lines = (top / name).read_text().splitlines()
        if len(lines) >= STORY_LINES:
            yield f'{name}: {len(lines)} lines, the story has less than {STORY_LINES}'
        for number, line in enumerate(lines, 1):
            if '#include "object/' in line:
                yield f'{name}:{number}: the story names no family'


def check_modes(top):
    """Whether a session only looks is known to the engine alone, so that no hook can behave in another way then; and no
    hook makes itself a session that it can write with."""
    for path in sorted((top / 'src/object').rglob('*.[ch]')):
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if re.search(r'\b(only_look|tasks_run)\b|\br->needs\b|->progress->(?!deadline\b)', line):
                yield f'{path.relative_to(top)}:{number}: asks for the mode of the session'
            if re.search(r'\(struct (dump|restore) \*\)', line):
                yield f'{path.relative_to(top)}:{number}: casts a session, which may be one that only looks'


# Hooks of members that have another name than their phase.
HOOKS = {'file_kind.dump': 'dump/object', 'namespace_kind.found': 'dump/identify', 'namespace_kind.dump': 'dump/write',
         'namespace_kind.adopt': 'restore/load', 'task_part.settle': 'restore/home'}


def check_hooks(top):
    """Hooks of members get a const session if their phase looks, as those of families do."""
    looks = {f'{direction}/{name}': effect == 'LOOKS'
             for direction, name, _, _, _, effect, _ in ROW.findall((top / 'src/engine/phases.def').read_text())}
    for header, struct in (('file/file.h', 'file_kind'), ('task/part.h', 'task_part'), ('namespace/namespace.h', 'namespace_kind')):
        text = (top / 'src/object' / header).read_text().partition(f'struct {struct} {{')[2].partition('\n};')[0]
        hooks = re.findall(r'\(\*(\w+)\)\(\s*(const )?struct (dump|restore) \*', text)
        assert hooks, header
        for name, const, direction in hooks:
            phase = HOOKS.get(f'{struct}.{name}', f'{direction}/{name}')
            if phase in looks and looks[phase] != bool(const):
                yield f'src/object/{header}: {name} of struct {struct} {"looks" if looks[phase] else "acts"}: const must say so'


def main():
    top = Path(__file__).resolve().parent.parent
    rows = read_phases(top)
    complaints = [*check_rows(rows), *check_document(top, rows), *check_use(top, rows), *check_stories(top), *check_modes(top), *check_hooks(top)]
    print('\n'.join(complaints))
    return bool(complaints)


if __name__ == '__main__':
    sys.exit(main())
