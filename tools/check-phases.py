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
    """Whether a session only looks is known to the engine alone, so that no hook can behave in another way then."""
    for path in sorted((top / 'src/object').rglob('*.[ch]')):
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if re.search(r'\b(only_look|tasks_run)\b|\br->(needs|damage)\b|\bd->obstacle\b', line):
                yield f'{path.relative_to(top)}:{number}: asks for the mode of the session'


def main():
    top = Path(__file__).resolve().parent.parent
    rows = read_phases(top)
    complaints = [*check_rows(rows), *check_document(top, rows), *check_use(top, rows), *check_stories(top), *check_modes(top)]
    print('\n'.join(complaints))
    return bool(complaints)


if __name__ == '__main__':
    sys.exit(main())
