# SPDX-License-Identifier: GPL-2.0-only
"""A user puts a link to a directory of root in the place of his own while root restores his program: root's files stay as they are."""
import os

from room import PROGRAMS, wait_until

NOBODY = 65534
NAMES = 'deleted', 'linked', 'folder', 'fifo', 'socket', 'seen'
TRIES = 40


def look_at(folder):
    """All that is in a directory, and what is in it."""
    return {path.name: (path.lstat().st_mode, path.lstat().st_uid, path.lstat().st_ino, path.read_bytes() if path.is_file() else b'')
            for path in folder.iterdir()}


def test_files_of_root(room, criu, folder):
    """An open file, deleted files, a directory, a fifo, a file with a name that the dump has made, and a socket that is bound."""
    mine, roots, images, output = folder / 'mine', folder / 'roots', folder / 'images', folder / 'output'
    os.chmod(folder, 0o755)
    for one in (mine, roots, images, mine / 'inner'):
        one.mkdir()
    os.chown(mine, NOBODY, NOBODY)
    os.chown(mine / 'inner', NOBODY, NOBODY)
    (mine / 'link').symlink_to(roots)
    for name in NAMES:
        (roots / name).write_text(f"{name} of root")
        os.chmod(roots / name, 0o600)
    pid = room.start(output, '/usr/bin/python3', PROGRAMS / 'files-in-inner.py', cwd=str(mine))
    wait_until(lambda: output.exists() and 'ready' in output.read_text(), 20, 'the program does not get ready')
    done = room.run(criu, 'dump', '-t', pid, '-D', images, '-v4', '-o', 'dump.log', '--link-remap')
    assert done.returncode == 0, (images / 'dump.log').read_text()
    wait_until(lambda: pid not in room.pids(), 20)
    before = look_at(roots)
    attacker = room.start(folder / 'attack', '/usr/bin/python3', PROGRAMS / 'swap-directories.py', cwd=str(mine))
    restored = 0
    for _ in range(TRIES):
        done = room.run(criu, 'restore', '-d', '-D', images, '-o', 'restore.log', '-v4')
        assert look_at(roots) == before, (images / 'restore.log').read_text()
        restored += done.returncode == 0
        if done.returncode == 0:    # an open file of the same size and mode
            assert os.stat(room.proc / str(pid) / 'fd/50').st_ino != before['seen'][2], (images / 'restore.log').read_text()
        room.kill([pid] if pid in room.pids() else [])
        wait_until(lambda: pid not in room.pids(), 20)
    room.kill([attacker])
    wait_until(lambda: attacker not in room.pids(), 20)
    assert look_at(roots) == before


def test_links_of_root(room, criu, folder):
    """A link that root has put on the way since is followed, one of somebody else is not: the program's directory has moved."""
    images, output = folder / 'images', folder / 'output'
    os.chmod(folder, 0o755)
    images.mkdir()
    (folder / 'way').mkdir()
    (folder / 'way/file').write_text('text')
    pid = room.start(output, '/usr/bin/python3', PROGRAMS / 'open-below-link.py', cwd=str(folder))
    wait_until(lambda: output.exists() and 'ready' in output.read_text(), 20, 'the program does not get ready')
    done = room.run(criu, 'dump', '-t', pid, '-D', images, '-v4', '-o', 'dump.log')
    assert done.returncode == 0, (images / 'dump.log').read_text()
    wait_until(lambda: pid not in room.pids(), 20)
    (folder / 'way').rename(folder / 'moved')
    for target, owner, wanted in ((folder / 'moved', 0, 0), ('../' + folder.name + '/moved/.', 0, 0), ('moved', NOBODY, 1)):
        (folder / 'way').symlink_to(target)
        os.chown(folder / 'way', owner, owner, follow_symlinks=False)
        done = room.run(criu, 'restore', '-d', '-D', images, '-o', 'restore.log', '-v4')
        log = (images / 'restore.log').read_text()
        assert done.returncode == wanted and ('is not followed' in log) == bool(wanted), log
        if not wanted:
            assert os.stat(room.proc / str(pid) / 'fd/50').st_ino == os.stat(folder / 'moved/file').st_ino
            room.kill([pid])
            wait_until(lambda: pid not in room.pids(), 20)
        (folder / 'way').unlink()
