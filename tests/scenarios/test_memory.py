# SPDX-License-Identifier: GPL-2.0-only
"""Memory that needs something of the machine first, and what criu itself takes."""
import fcntl
import json
import os
import subprocess
from pathlib import Path

import pytest

import ways

HUGE_PAGES = Path('/proc/sys/vm/nr_hugepages')


@pytest.fixture
def huge_pages():
    """A few free huge pages, for the time of the test; the number is the machine's, so one test after the other sets it."""
    with open('/proc/meminfo', 'rb') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        before = int(HUGE_PAGES.read_text())
        try:
            HUGE_PAGES.write_text(str(before + 12))
        except OSError:
            pytest.skip('no huge pages can be set aside')
        try:
            if int(HUGE_PAGES.read_text()) < before + 12:
                pytest.skip('there is no room for huge pages')
            yield
        finally:
            HUGE_PAGES.write_text(str(before))


@pytest.mark.parametrize('name', ('memory/hugetlb', 'mount/hugetlbfs'))
@pytest.mark.parametrize('way', ('plain', 'left', 'twice'))
def test_hugetlb(subject, huge_pages, way, name):
    """Huge pages of hugetlbfs: the subject skips itself where there are none."""
    run = subject(name)
    getattr(ways, way)(run)
    run.release()


def test_sizes_of_images(subject):
    """Zeros take no room: neither pages of zeros that were written, nor holes of shared memory."""
    run = subject('memory/large')
    images = run.dump()
    pages = [os.stat(path) for path in Path(images).glob('pages-*.img')]
    # Dense and read-only memory 48 MiB each, every second page private and shared, every third hidden, 48 MiB of zeros.
    data = (48 + 48 + 24 + 24 + 16) << 20
    assert sum(stat.st_size for stat in pages) < data + (50 << 20)
    assert data < sum(stat.st_blocks * 512 for stat in pages) < data + (2 << 20)
    run.await_gone()
    run.restore(images)
    run.release()


def test_pagemap_flags(subject, build):
    """Private anonymous pages may be fetched late, copies of file pages and shared memory may not."""
    run = subject('memory/memfd')
    images = run.dump('--leave-running')
    for path in Path(images).glob('pagemap-*.img'):
        text = subprocess.run([build / 'crit', 'decode', '-i', path], check=True, capture_output=True, text=True).stdout
        flags = {entry['flags'] for entry in json.loads(text)['entries'] if 'flags' in entry}
        assert flags == ({4} if 'shmem' in path.name else {4, 6}), path.name
    run.release()
