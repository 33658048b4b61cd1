# SPDX-License-Identifier: GPL-2.0-only
"""Manual and completion say the same as the program."""
import re
import shutil
import subprocess

import pytest


@pytest.fixture
def options(criu):
    """The long options in the help text."""
    text = subprocess.run([criu, '--help'], capture_output=True, text=True, check=True).stdout
    names = re.findall(r'^(?:  -\w, |      )--([a-z-]+)', text.split('\nOptions may')[1], re.M)
    assert len(names) > 80
    return names


def test_manual(build, options):
    """Every option of the program has a paragraph; groff has nothing to complain about."""
    page = (build / 'docs/criu.8').read_text()
    assert '@OPTIONS@' not in page
    named = re.findall(r'^\.TP\n.*?\\fB\\-\\-([a-z\\-]+)\\fR', page, re.M)
    assert sorted(name.replace('\\', '') for name in named) == sorted(options)
    if shutil.which('groff'):
        done = subprocess.run(['groff', '-man', '-ww', '-Tutf8', '-z', build / 'docs/criu.8'], capture_output=True, text=True,
                              check=False)
        assert (done.returncode, done.stderr) == (0, '')


def complete(build, criu, *words):
    """What bash offers for the last word."""
    script = f'''source {build}/docs/criu
compopt() {{ :; }}
COMP_WORDS=({criu} {' '.join(repr(word) for word in words)}); COMP_CWORD={len(words)}
_criu; printf '%s\\n' "${{COMPREPLY[@]}}"'''
    return subprocess.run(['bash', '-c', script], capture_output=True, text=True, check=True).stdout.split()


def test_completion(build, criu, options):
    """Commands, options of a command, values."""
    assert complete(build, criu, 'du') == ['dump']
    assert complete(build, criu, 'cpuinfo', 'd') == ['dump']
    for command, no in (('dump', 'restore-sibling'), ('restore', 'tree'), ('check', 'leave-running'), ('verify', 'tree')):
        offered = {word.rstrip('=') for word in complete(build, criu, command, '--')}
        bare = {re.sub(r'^--(no-)?(?!default)', '', word) for word in offered} - {'default-config'}
        assert bare <= set(options) | {'no-default-config'}, bare - set(options)
        assert f'--{no}' not in offered and '--log-file' in offered
    assert complete(build, criu, 'restore', '--restore-') == ['--restore-detached', '--restore-sibling']
    assert complete(build, criu, 'dump', '--file-validation', '=', 'b') == ['buildid']
    assert complete(build, criu, 'check', '--feature', 'mnt') == ['mnt_id']
    assert complete(build, criu, '-D', '/sbi') == ['/sbin']
    assert complete(build, criu, 'verify', '/sbi') == ['/sbin']
