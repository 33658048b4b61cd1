# SPDX-License-Identifier: GPL-2.0-only
"""Files that the user gives: --external at the dump, --inherit-fd at the restore."""
import os

from room import wait_until

PROGRAM = '''
import os, sys, time
os.chdir({work!r})
out = os.open('outside', os.O_RDWR)
os.write(1, b'ready\\n')
while not os.path.exists('go'):
    time.sleep(0.01)
os.write(out, b'to the file')
os.write(1, b'to the pipe')
'''


def start(room, folder, output):
    """A program with a file and the given output."""
    work = folder / 'work'
    work.mkdir()
    (work / 'outside').write_text('the old content')
    pid = room.start(output, '/usr/bin/python3', '-c', PROGRAM.format(work=str(work)), cwd='/')
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
    (work / 'program').write_text(PROGRAM.format(work=str(work)))
    room.start(folder / 'output', '/bin/sh', '-c', f'setsid /usr/bin/python3 {work}/program </dev/null | cat >{folder}/first')
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


MEMFD = '''
import mmap, os, sys, time
fd = os.memfd_create('given')
os.write(fd, b'the old content')
memory = mmap.mmap(fd, 15)
os.write(1, b'ready\\n')
while not os.path.exists({go!r}):
    time.sleep(0.01)
os.write(1, os.pread(fd, 99, 0) + b', ' + memory[:15])
'''


def test_inherited_memfd(room, criu, folder):
    """Another memfd can stand in for one of this name, where it is open and where it is mapped."""
    go, output, images = folder / 'go', folder / 'output', folder / 'images'
    images.mkdir()
    pid = room.start(output, '/usr/bin/python3', '-c', MEMFD.format(go=str(go)), cwd='/')
    wait_until(lambda: output.exists() and 'ready' in output.read_text(), 5, 'the program does not get ready')
    done = room.run(criu, 'dump', '-t', pid, '-D', images, '-v4', '-o', 'dump.log')
    assert done.returncode == 0, done.stdout
    wait_until(lambda: pid not in room.pids(), 5)
    give = (f'import os, subprocess; fd = os.memfd_create("other", 0); os.write(fd, b"the new content"); os.set_inheritable(fd, True); '
            f'exit(subprocess.call(["{criu}", "restore", "-d", "-D", "{images}", "-v4", "-o", "restore.log", "--inherit-fd", '
            f'f"fd[{{fd}}]:/memfd:given"], close_fds=False))')
    done = room.run('/usr/bin/python3', '-c', give)
    assert done.returncode == 0, (images / 'restore.log').read_text()
    go.touch()
    wait_until(lambda: pid not in room.pids(), 5)
    assert output.read_text().endswith('the new content, the new content'), output.read_text()
