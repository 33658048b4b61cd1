# SPDX-License-Identifier: GPL-2.0-only
"""The build as a single file, for containers and rescue."""
import os
import subprocess
from pathlib import Path

import pytest
from room import PROGRAMS

TOP = Path(__file__).resolve().parents[2]


@pytest.fixture(scope='module', name='single')
def build_single(tmp_path_factory):
    """criu, built so."""
    folder = tmp_path_factory.mktemp('static')
    setup = ['/usr/bin/meson', 'setup', folder, TOP, '-Dstatic=true', '-Dtests=false', '-Dbuildtype=plain']
    done = subprocess.run(setup, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    assert done.returncode == 0, done.stdout
    done = subprocess.run(['ninja', '-C', folder, 'criu'], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    assert done.returncode == 0, done.stdout
    return folder / 'criu'


def test_needs_no_library(single):
    """It has no program interpreter."""
    said = subprocess.run(['readelf', '-l', single], capture_output=True, text=True, check=True).stdout
    assert 'LOAD' in said and 'INTERP' not in said, said


# What is done by libraries: content of mounts, rules and devices of networks, the lock of connections, processes.
@pytest.mark.parametrize('name', ('mount/tmpfs', 'net/firewall', 'net/devices', 'socket/tcp-backlog', 'socket/udp-corked', 'tree/family'))
def test_restores(subject, single, name):
    """It dumps and restores, twice."""
    run = subject(name)
    run.criu = single
    options = run.subject.about['options'].split()
    for _ in range(2):
        run.restore(run.dump(*options), *options)
    run.release()


def test_refuses_what_it_has_not(subject, single, room):
    """TLS, encryption and plugins, by name."""
    run = subject('tree/family')
    run.criu = single
    images = run.folder_of_images()
    status, said = run.call_criu('dump', images, '-t', run.pid, '--encrypt-to', PROGRAMS / 'empty.c')
    assert status != 0 and 'GnuTLS' in said, said
    (images / 'plugin.so').write_bytes(Path('/proc/self/exe').read_bytes())
    status, said = run.call_criu('dump', images, '-t', run.pid, '--libdir', images)
    assert status != 0 and 'which has no plugins' in said, said
    assert room.pids() and os.path.exists(images)
    run.release()
