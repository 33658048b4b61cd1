# SPDX-License-Identifier: GPL-2.0-only
"""Debian's go-criu: a program with its client library pre-dumps, dumps and restores, and reads the statistics."""
import os
import signal
import subprocess
from pathlib import Path

import pytest
from engine import need

LIBRARY = Path('/usr/share/gocode/src/github.com/checkpoint-restore/go-criu')
WANTED = '''version 40200 true features true true
pre-dump
post-dump
dumped true true
refused true
pre-restore
post-restore {}
post-resume
restored true
server true true
'''


def test_all_of_it(criu, folder):
    """tests/clients/go/client.go tells what it does."""
    need('go')
    if not LIBRARY.exists():
        pytest.skip('there is no go-criu: tools/install-deps clients')
    env = {**os.environ, 'GO111MODULE': 'off', 'GOPATH': '/usr/share/gocode', 'GOFLAGS': '', 'GOCACHE': str(folder / 'cache')}
    subprocess.run(['go', 'build', '-o', folder / 'client', Path(__file__).parent / 'go/client.go'], env=env, check=True)
    with subprocess.Popen(['sleep', '1000'], start_new_session=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        with (folder / 'said').open('w') as said:
            # Our child is a zombie until it is reaped, and its pid is free only then.
            client = subprocess.Popen([folder / 'client', criu, str(process.pid), folder / 'images'], stdout=said, stderr=said)
            process.wait()
            client.wait(120)
    logs = ''.join(path.read_text() for path in (folder / 'images').glob('*/*.log'))
    assert (folder / 'said').read_text() == WANTED.format(process.pid), logs[-3000:]
    assert Path(f'/proc/{process.pid}/comm').read_text() == 'sleep\n'
    os.kill(process.pid, signal.SIGKILL)
