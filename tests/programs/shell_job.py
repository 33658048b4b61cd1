# SPDX-License-Identifier: GPL-2.0-only
"""Runs inside a room: a shell on a pty starts a job, which is dumped, and restored by a shell on another pty. Twice."""
import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time


class Shell:
    """An interactive shell with a terminal of its own."""

    def __init__(self):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execvpe('bash', ['bash', '--norc', '--noprofile', '-i'], {**os.environ, 'PS1': 'PROMPT ', 'TERM': 'dumb'})
        self.expect('PROMPT')

    def expect(self, wanted, seconds=60):
        """Reads until the text comes; returns what came."""
        text, end = '', time.monotonic() + seconds
        while wanted not in text:
            ready, _, _ = select.select([self.fd], [], [], max(0, end - time.monotonic()))
            assert ready, f'"{wanted}" did not come, but only {text!r}'
            text += os.read(self.fd, 65536).decode(errors='replace')
        return text

    def type(self, text):
        """Types."""
        os.write(self.fd, text.encode())

    def end(self):
        """Closes the terminal."""
        os.close(self.fd)
        os.kill(self.pid, 9)
        os.waitpid(self.pid, 0)


def text_of(path):
    """What is in a file, or nothing."""
    try:
        with open(path, encoding='utf-8') as file:
            return file.read()
    except OSError:
        return ''


def wait_until(condition, what):
    """Polls; returns what the condition gives."""
    end = time.monotonic() + 60
    while not (result := condition()):
        assert time.monotonic() < end, what
        time.sleep(0.01)
    return result


def dump(criu, pid, images, *options):
    """Dumps; returns status and log."""
    os.makedirs(images)
    done = subprocess.run([criu, 'dump', '-t', str(pid), '-D', images, '-v4', '-o', 'dump.log', *options], check=False)
    with open(f'{images}/dump.log', encoding='utf-8') as file:
        return done.returncode, file.read()


def main():
    """The whole story."""
    criu, folder = sys.argv[1:]
    shell = Shell()
    # The job leaves the terminal as it needs it: no echo, its own erase character.
    shell.type("bash -c 'trap \"echo resized\" WINCH; stty -echo erase ^X; echo ready; while read line; do echo got $line; stty -a | grep -o \"erase = ..\"; done'\n")
    shell.expect('\nready')
    job, = wait_until(lambda: text_of(f'/proc/{shell.pid}/task/{shell.pid}/children').split(), 'the shell has no child')
    job = int(job)

    status, log = dump(criu, job, f'{folder}/refused')
    assert status != 0 and '--shell-job' in log, log
    shell.type('one\n')
    assert 'got one' in shell.expect('erase = ^W')      # werase: the last thing that it prints

    for number in range(2):
        status, log = dump(criu, job, f'{folder}/{number}', '--shell-job')
        assert status == 0, log
        shell.end()
        shell = Shell()
        fcntl.ioctl(shell.fd, termios.TIOCSWINSZ, struct.pack('HHHH', 30, 90, 0, 0))     # the second time the same
        shell.type(f'{criu} restore --shell-job -D {folder}/{number} -v4 -o restore.log\n')
        wait_until(lambda: 'Tasks resumed' in text_of(f'{folder}/{number}/restore.log'), 'it is not restored')   # pylint: disable=cell-var-from-loop
        shell.type('two\n')
        said = shell.expect('erase = ^W')
        assert 'got two' in said and 'erase = ^X' in said, said
        assert 'resized' in said, f'nobody told the job that it has another terminal, with nothing of its own on the screen: {said}'
        assert said.count('two') == 1, f'the terminal echoes: {said}'

    # Job control: the restored group is in the foreground, and the shell comes back when it ends.
    # While bash waits for a child it takes no interrupt for itself: it must be back in read(2) from its input.
    wait_until(lambda: text_of(f'/proc/{job}/syscall').startswith('0 0x0 '), 'the job does not read')
    shell.type('\003')
    shell.expect('PROMPT')
    assert not os.path.exists(f'/proc/{job}'), 'the job did not get its interrupt'
    print('all well')


main()
