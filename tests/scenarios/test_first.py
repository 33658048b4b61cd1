# SPDX-License-Identifier: GPL-2.0-only
"""The first process of a pid namespace cannot be killed by those who live in it: no dump may say that it did."""


def test_first_process(room, criu, folder):
    """Refused at once."""
    (folder / 'images').mkdir()
    done = room.run(criu, 'dump', '-t', '1', '-D', folder / 'images', timeout=60)
    assert done.returncode != 0, done.stdout
    assert "process 1 cannot be killed from within its pid namespace" in done.stdout
