# SPDX-License-Identifier: GPL-2.0-only
"""Every subject, every way: file/pipe[twice] and so on. Select with -k."""
from pathlib import Path

import pytest

from subject import Run, Subject
from ways import HOUSES, WAYS, is_sample


def pytest_generate_tests(metafunc):
    """One case for each subject and way that fit together."""
    if 'case' not in metafunc.fixturenames:
        return
    folder = Path(metafunc.config.getoption('--build')) / 'tests/subjects'
    programs = sorted(folder.glob('*.*')) + sorted((folder / 'ia32').glob('ia32.*.*'))
    subjects = [Subject(path.resolve()) for path in programs if path.is_file() and path.suffix not in ('.a', '.so')]
    assert subjects, 'no subjects are built'
    house = metafunc.config.getoption('--house')
    cases = [(subject, way, house or '-') for subject in subjects for way in WAYS
             if subject.has_way(way) and is_sample(way, subject)]
    if not house:
        cases += [(subject, way, home) for home, (ways, names) in HOUSES.items() for subject in subjects for way in ways
                  if names.match(subject.name) and subject.has_way(way) and not subject.about['refused'] and not subject.about['house']]
    metafunc.parametrize('case', cases, ids=[f'{subject.name}[{way}{"" if home == "-" else "@" + home}]' for subject, way, home in cases])


def test(case, room, criu):
    """The whole life of one case."""
    subject, way, house = case
    run = Run(subject, room, criu, house)
    reason = run.start()
    if reason:
        pytest.skip(reason)
    WAYS[way](run)
    run.release()
