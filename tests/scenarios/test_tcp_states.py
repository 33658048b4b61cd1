# SPDX-License-Identifier: GPL-2.0-only
"""Connections in every state with an other end outside of the tree, through two checkpoints."""
import time

import pytest

from room import PROGRAMS, wait_until

PYTHON = '/usr/bin/python3'


@pytest.mark.parametrize('lock', ['nftables', 'iptables'])
@pytest.mark.parametrize('family, address', [(2, '127.0.0.1'), (10, '::1'), (10, '::ffff:127.0.0.1')],
                         ids=['IPv4', 'IPv6', 'mapped'])
def test_every_state(room, criu, folder, family, address, lock):
    """Established with full queues, FIN-WAIT-1, FIN-WAIT-2, CLOSING, LAST-ACK and CLOSE-WAIT."""
    pid = room.start(folder / 'inside.out', PYTHON, PROGRAMS / 'tcp-states.py', 'inside', address, family, folder)
    room.start(folder / 'outside.out', PYTHON, PROGRAMS / 'tcp-states.py', 'outside', address, family, folder)

    def read(name):
        ends = [folder / 'inside.end', folder / 'outside.end']

        def failed():
            return [end.read_text() for end in ends if end.exists() and end.read_text() != 'fine']

        wait_until(lambda: (folder / name).exists() or failed(), 60, name)
        assert not failed(), failed()
        return (folder / name).read_text()

    before = read('inside.ready'), read('outside.ready')
    assert before == (str([1, 4, 5, 11, 9, 8]), str([1, 1, 8, 5, 5, 5]))
    for i in range(2):
        images = folder / f'images{i}'
        images.mkdir()
        for command in ('dump', '-t', pid, '--network-lock', lock), ('restore', '-d'):
            done = room.run(criu, *command, '-D', images, '-v4', '-o', command[0] + '.log', '--tcp-established')
            assert done.returncode == 0, done.stdout + (images / (command[0] + '.log')).read_text(errors='replace')[-3000:]
            time.sleep(0.5)
    (folder / 'go').touch()
    assert (read('inside.now'), read('outside.now')) == before
    assert read('inside.end') == 'fine'
    assert read('outside.end') == 'fine'
