# SPDX-License-Identifier: GPL-2.0-only
"""Files that the user gives: --external at the dump, --inherit-fd at the restore."""
import os
import shutil

from room import PROGRAMS, wait_until

def start(room, folder, output):
    """A program with a file and the given output."""
    work = folder / 'work'
    work.mkdir()
    (work / 'outside').write_text('the old content')
    pid = room.start(output, '/usr/bin/python3', PROGRAMS / 'write-outside.py', work, cwd='/')
    wait_until(lambda: os.path.exists(room.proc / str(pid) / 'fd/3'), 5, 'the program does not start')
    wait_until(lambda: 'ready' in (output.read_text() if output.exists() else ''), 5, 'the program does not get ready')
    return pid, work


def test_inherited_by_path(room, criu, folder):
    """A file that is gone can be replaced by its path."""
    output = folder / 'output'
    pid, work = start(room, folder, output)
    images = folder / 'images'
    images.mkdir()
    done = room.run(criu, 'dump', '-t', pid, '-D', images, '-v4', '-o', 'dump.log')
    assert done.returncode == 0, done.stdout
    wait_until(lambda: pid not in room.pids(), 5)
    (work / 'outside').unlink()

    done = room.run(criu, 'restore', '-d', '-D', images, '-v4', '-o', 'restore.log')
    said = (images / 'restore.log').read_text()
    assert done.returncode != 0
    assert f'--inherit-fd fd[N]:{str(work)[1:]}/outside' in said, said

    key = f'{str(work)[1:]}/outside'
    other = folder / 'another'
    done = room.run('/bin/sh', '-c', f"exec 7>{other}; {criu} restore -d -D {images} -v4 -o restore.log --inherit-fd 'fd[7]:{key}'")
    assert done.returncode == 0, (images / 'restore.log').read_text()
    (work / 'go').touch()
    wait_until(lambda: pid not in room.pids(), 5)
    assert other.read_text() == 'to the file'
    assert output.read_text().endswith('to the pipe')


def test_external_file(room, criu, folder):
    """A file that the dump leaves out must be given at the restore."""
    output = folder / 'output'
    pid, work = start(room, folder, output)
    images = folder / 'images'
    images.mkdir()
    info = (room.proc / str(pid) / 'fdinfo/3').read_text()
    mount = int(next(line for line in info.splitlines() if line.startswith('mnt_id')).split()[1])
    key = f'file[{mount:x}:{(work / "outside").stat().st_ino:x}]'
    done = room.run(criu, 'dump', '-t', pid, '-D', images, '-v4', '-o', 'dump.log', '--external', key)
    assert done.returncode == 0, (images / 'dump.log').read_text()
    wait_until(lambda: pid not in room.pids(), 5)

    done = room.run(criu, 'restore', '-d', '-D', images, '-v4', '-o', 'restore.log')
    assert done.returncode != 0
    assert key in (images / 'restore.log').read_text()

    other = folder / 'another'
    done = room.run('/bin/sh', '-c', f"exec 7>{other}; {criu} restore -d -D {images} -v4 -o restore.log --inherit-fd 'fd[7]:{key}'")
    assert done.returncode == 0, (images / 'restore.log').read_text()
    (work / 'go').touch()
    wait_until(lambda: pid not in room.pids(), 5)
    assert other.read_text() == 'to the file'
    assert (work / 'outside').read_text() == 'the old content'


def test_pipe_outside(room, criu, folder):
    """A pipe whose other end is outside of the tree: a warning, and another pipe may be given."""
    work, images = folder / 'work', folder / 'images'
    work.mkdir()
    images.mkdir()
    (work / 'outside').write_text('')
    shutil.copy(PROGRAMS / 'write-outside.py', work / 'program')
    room.start(folder / 'output', '/bin/sh', '-c', f'setsid /usr/bin/python3 {work}/program {work} </dev/null | cat >{folder}/first')
    wait_until(lambda: (folder / 'first').exists() and 'ready' in (folder / 'first').read_text(), 5, 'the program does not start')
    pid = next(pid for pid in room.pids() if str(work) in (room.proc / str(pid) / 'cmdline').read_text()
               and (room.proc / str(pid) / 'comm').read_text() == 'python3\n')
    link = os.readlink(room.proc / str(pid) / 'fd/1')
    done = room.run(criu, 'dump', '-t', pid, '-D', images, '-v4', '-o', 'dump.log')
    said = (images / 'dump.log').read_text()
    assert done.returncode == 0, said
    assert f'--inherit-fd \'fd[N]:{link}\'' in said, said
    wait_until(lambda: pid not in room.pids(), 5)
    room.start(folder / 'output2', '/bin/bash', '-c',
               f"{criu} restore -d -D {images} -v4 -o restore.log --inherit-fd 'fd[7]:{link}' 7>&1 | cat >{folder}/second")
    wait_until(lambda: pid in room.pids(), 5)
    (work / 'go').touch()
    wait_until(lambda: pid not in room.pids(), 5)
    wait_until(lambda: (folder / 'second').read_text() != '', 5)
    assert (folder / 'second').read_text() == 'to the pipe', (images / 'restore.log').read_text()


def test_inherited_memfd(room, criu, folder):
    """Another memfd can stand in for one of this name, where it is open and where it is mapped."""
    go, output, images = folder / 'go', folder / 'output', folder / 'images'
    images.mkdir()
    pid = room.start(output, '/usr/bin/python3', PROGRAMS / 'memfd.py', go, cwd='/')
    wait_until(lambda: output.exists() and 'ready' in output.read_text(), 5, 'the program does not get ready')
    done = room.run(criu, 'dump', '-t', pid, '-D', images, '-v4', '-o', 'dump.log')
    assert done.returncode == 0, done.stdout
    wait_until(lambda: pid not in room.pids(), 5)
    done = room.run('/usr/bin/python3', PROGRAMS / 'give-memfd.py', criu, 'restore', '-d', '-D', images, '-v4', '-o', 'restore.log',
                    '--inherit-fd', 'fd[{}]:/memfd:given')
    assert done.returncode == 0, (images / 'restore.log').read_text()
    go.touch()
    wait_until(lambda: pid not in room.pids(), 5)
    assert output.read_text().endswith('the new content, the new content'), output.read_text()
