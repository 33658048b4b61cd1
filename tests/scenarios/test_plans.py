# SPDX-License-Identifier: GPL-2.0-only
"""Plans as text: what criu lets other processes do, for ten typical trees, is what tests/golden/plans says.

A change that means to change it renews the files: RENEW_PLANS=1, as docs/ADD-A-TEST.md tells; the diff shows what it does.
"""
import difflib
import os
import re
from pathlib import Path

import pytest

GOLDEN = Path(__file__).parents[1] / 'golden/plans'
KERNEL = 'Linux ' + '.'.join(os.uname().release.split('.')[:2])
SUBJECTS = ('tree/zombie', 'file/epoll', 'thread/several', 'file/pipe', 'file/pty-session', 'memory/anonymous', 'memory/shared-anonymous',
            'signal/pending', 'socket/unix-pair', 'timer/posix')
FIRST_PID = 20000       # so that a number is no pid by chance
PLACE = re.compile(r'^ *\d+ ')                           # of a step in its plan
NUMBER = re.compile(r'\b(?:0x)?[0-9a-f]{5,}\b|\b0x[0-9a-f]+\b|\b\d{5,}\b')
OFFSET = re.compile(r'@\d+')
OF_SOME_CPUS = '; set how the CPU may speculate'    # steps that are there only where programs may choose
SIGNAL = re.compile(r'\b13 0x[0-9a-f]+(?=.*; (?:set|read) a signal action)')       # which ones are ignored is the caller's affair


def normalise(number, pids):
    """The name of a pid, small numbers and flags as they are; # for addresses, sizes and times."""
    value = int(number, 16 if number.startswith('0x') or not number.isdigit() or len(number) > 9 else 10)
    if value in pids:
        return pids[value]
    low = value & 0xffffffff
    if value >= 0xfffffffffffff000 or 0xfffff000 <= value <= 0xffffffff:
        return str(low - (1 << 32))
    return number if value < 0x1000 else '#'


def normalise_text(text, pids):
    """Steps without numbers that depend on the machine; those that are alike and follow each other once."""
    lines = []
    for line in text.splitlines():
        if OF_SOME_CPUS in line:
            continue
        line = SIGNAL.sub('13 #', line)
        line = OFFSET.sub('@', NUMBER.sub(lambda found: normalise(found[0], pids), PLACE.sub('', line)))
        if not lines or lines[-1].removesuffix(' ...') != line:
            lines.append(line)
        elif not lines[-1].endswith(' ...'):
            lines[-1] += ' ...'
    return ''.join(f'{line}\n' for line in lines)


def read_plans(path, pids):
    """The plans of each thread in the order in which it ran them: {name: [text]}."""
    plans = {}
    for head, text in re.findall(r'^plan for (\d+)\n((?:(?!plan for ).*\n)*)', path.read_text(), re.M):
        plans.setdefault(pids.get(int(head), 'another'), []).append(normalise_text(text, pids))
    return plans


def as_text(plans):
    """All of it as the golden file has it."""
    return ''.join(f'== {name}, plan {number} ==\n{text}' for name in sorted(plans) for number, text in enumerate(plans[name], 1))


@pytest.fixture(autouse=True)
def make_usual_umask():
    """It is in the plans."""
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.mark.parametrize('name', SUBJECTS)
def test_plans(subject, room, folder, name):
    """Those of a dump and of the restore after it. Other kernels have other abilities, and so other plans."""
    room.run('/bin/sh', '-c', f'echo {FIRST_PID} > /proc/sys/kernel/ns_last_pid')
    run = subject(name)
    pids = {}
    for process in sorted(map(int, run.before)):
        for thread in sorted(map(int, run.before[str(process)].get('threads', [process]))):     # a zombie shows none
            pids[thread] = f't{len(pids) + 1}'
    found = f'{KERNEL}\n'
    images = run.folder_of_images()
    for command, *options in ('dump', '-t', run.pid), ('restore', '-d'):
        listed = folder / f'plans-of-{command}'
        status, said = run.call_criu(command, images, *options, env={'CRIU_LIST_PLANS': str(listed)})
        assert status == 0, said
        found += f'==== {command} ====\n{as_text(read_plans(listed, pids))}'
    run.compare('after the restore')
    run.release()
    golden = GOLDEN / name.replace('/', '.')
    if os.environ.get('RENEW_PLANS'):
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(found)
    wanted = golden.read_text()
    if not wanted.startswith(f'{KERNEL}\n'):
        pytest.skip(f'the golden plans are those of {wanted.splitlines()[0]}')
    difference = '\n'.join(difflib.unified_diff(wanted.splitlines(), found.splitlines(), str(golden), 'now', lineterm='', n=1))
    assert not difference, f'{difference}\nIf this is meant: RENEW_PLANS=1, see docs/ADD-A-TEST.md'
