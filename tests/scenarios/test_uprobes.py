# SPDX-License-Identifier: GPL-2.0-only
"""--allow-uprobes: programs in which a uprobe is set."""
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from subject import Run, Subject

TRACING = Path('/sys/kernel/tracing')


class Probe:
    """A uprobe at a function of a program."""

    def __init__(self, program, function):
        self.name = f'criu_test_{os.getpid()}_{os.stat(program).st_ino}'
        self.events = TRACING / 'uprobe_events'
        if not self.events.exists():
            pytest.skip('no uprobes here')
        self.tell(f'p:{self.name} {program}:{self.offset(program, function):#x}\n')
        self.enable(True)

    def tell(self, command):
        """One more line for the kernel; open() would want to know where its end is."""
        fd = os.open(self.events, os.O_WRONLY | os.O_APPEND)
        os.write(fd, command.encode())
        os.close(fd)

    @staticmethod
    def offset(program, function):
        """Where in the file it is."""
        symbols = subprocess.run(['nm', program], check=True, capture_output=True, text=True).stdout
        address = int(re.search(rf'^([0-9a-f]+) T {function}$', symbols, re.M)[1], 16)
        segments = subprocess.run(['readelf', '-lW', program], check=True, capture_output=True, text=True).stdout
        for offset, start, size in re.findall(r'LOAD +0x(\w+) 0x(\w+) 0x\w+ 0x(\w+)', segments):
            if int(start, 16) <= address < int(start, 16) + int(size, 16):
                return int(offset, 16) + address - int(start, 16)
        raise RuntimeError(f'{function} is in no segment')

    def enable(self, on):
        """Sets it or takes it away."""
        (TRACING / f'events/uprobes/{self.name}/enable').write_text('01'[on])

    def hits(self):
        """How often it was hit."""
        return int(re.search(rf'\b{self.name}\s+(\d+)', (TRACING / 'uprobe_profile').read_text())[1])

    def remove(self):
        """Nothing of it stays."""
        self.enable(False)
        self.tell(f'-:{self.name}\n')


@pytest.fixture
def probed(build, criu, room, folder):
    """A copy of the subject memory/uprobe, so that nobody else hits the probe in it: started, and the probe."""
    program = folder / 'memory.uprobe'
    shutil.copy(build / 'tests/subjects/memory.uprobe', program)
    probe = Probe(program, 'probed')
    run = Run(Subject(program), room, criu)
    try:
        run.start()
        yield run, probe
    finally:
        probe.remove()


def test_probe(probed):
    """Refused without the option; with it the probe works again after the restore."""
    run, probe = probed
    assert probe.hits() == 1 and '[uprobes]' in (run.room.proc / str(run.pid) / 'maps').read_text()
    said = run.dump_refused()
    assert '[uprobes]' in said and '--allow-uprobes' in said
    images = run.dump('--allow-uprobes')
    run.await_gone()
    code, said = run.call_criu('restore', images, '-d')
    assert code == 1 and 'the restore needs --allow-uprobes too' in said
    run.await_gone()
    run.restore(images, '--allow-uprobes')
    run.release()
    assert probe.hits() == 3


def test_left_running(probed):
    """A dump changes nothing for the probe."""
    run, probe = probed
    run.dump('--allow-uprobes', '--leave-running')
    run.release()
    assert probe.hits() == 3


def test_twice(probed):
    """Another round."""
    run, probe = probed
    for _ in range(2):
        images = run.dump('--allow-uprobes')
        run.await_gone()
        run.restore(images, '--allow-uprobes')
    run.release()
    assert probe.hits() == 3


def test_option_without_a_probe(subject):
    """The images remember the option."""
    run = subject('file/pipe')
    images = run.dump('--allow-uprobes')
    run.await_gone()
    code, said = run.call_criu('restore', images, '-d')
    assert code == 1 and 'the restore needs --allow-uprobes too' in said
    run.restore(images, '--allow-uprobes')
    run.release()
