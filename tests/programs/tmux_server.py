# SPDX-License-Identifier: GPL-2.0-only
"""Runs inside a room: a tmux server with two shells and a running top is dumped from outside, restored, attached to and used on. Twice."""
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time


def tmux(socket, *words):
    """One command of tmux; its output."""
    return subprocess.run(['tmux', '-S', socket, '-f', '/dev/null', *words], check=True, capture_output=True, text=True).stdout


def screen(socket, pane):
    """What the pane shows."""
    return tmux(socket, 'capture-pane', '-p', '-t', pane)


def wait_for(condition, what, seconds=60):
    """Polls."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, what() if callable(what) else what
        time.sleep(0.05)


def type_and_expect(socket, pane, text, wanted):
    """Types a line; the answer must appear."""
    tmux(socket, 'send-keys', '-t', pane, text, 'Enter')
    wait_for(lambda: re.search(wanted, screen(socket, pane), re.M), lambda: f'{wanted!r} does not appear:\n{screen(socket, pane)}')


class Attached:
    """A client on a terminal of its own."""

    def __init__(self, socket):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ['TERM'] = 'xterm'
            os.execvp('tmux', ['tmux', '-S', socket, 'attach'])

    def expect(self, wanted):
        """Reads until the text comes."""
        said, end = '', time.monotonic() + 60
        while wanted not in said:
            ready, _, _ = select.select([self.fd], [], [], max(0, end - time.monotonic()))
            assert ready, f'{wanted!r} is not drawn: {said!r}'
            said += os.read(self.fd, 65536).decode(errors='replace')

    def detach(self, socket):
        """What is drawn until then must be read, or it would wait."""
        tmux(socket, 'detach-client', '-s', 'w')
        try:
            while os.read(self.fd, 65536):
                pass
        except OSError:
            pass
        os.waitpid(self.pid, 0)
        os.close(self.fd)


def clock(socket):
    """The time in the first line of top."""
    return screen(socket, 'w:1').split('\n')[0]


def use(socket, number):
    """All of it works."""
    client = Attached(socket)
    client.expect('top - ')
    before = clock(socket)
    wait_for(lambda: clock(socket) != before, 'top stands still')
    os.write(client.fd, b'\x020')
    client.expect('first')
    client.detach(socket)
    type_and_expect(socket, 'w:0.0', f'echo $X has "$((NUMBER += 1))" in $PWD', f'^first has {number} in /usr$')
    tmux(socket, 'send-keys', '-t', 'w:0.1', 'C-c')         # ends the sleep: the foreground group is the same
    type_and_expect(socket, 'w:0.1', f'echo $X is number {number}; sleep 1000', f'^second is number {number}$')
    tmux(socket, 'select-window', '-t', 'w:1')


def main():
    """The whole story."""
    criu, folder = sys.argv[1:]
    socket = f'{folder}/socket'
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    shell = 'bash --norc --noprofile'
    tmux(socket, 'new-session', '-d', '-s', 'w', '-x', '100', '-y', '30', shell)
    tmux(socket, 'split-window', '-t', 'w', shell)
    tmux(socket, 'new-window', '-t', 'w', 'top -d 0.3')
    server = int(tmux(socket, 'display-message', '-p', '#{pid}'))
    type_and_expect(socket, 'w:0.0', 'X=first NUMBER=0; cd /usr; echo set', '^set$')
    type_and_expect(socket, 'w:0.1', 'X=second; echo set; sleep 1000', '^set$')
    use(socket, 1)
    for number in (2, 3):
        images = f'{folder}/{number}'
        os.mkdir(images)
        done = subprocess.run([criu, 'dump', '-t', str(server), '-D', images, '-v4', '-o', 'dump.log'], check=False)
        with open(f'{images}/dump.log', encoding='utf-8') as log:
            assert done.returncode == 0, log.read()
        wait_for(lambda: not os.path.exists(f'/proc/{server}'), 'the old server does not go')
        done = subprocess.run([criu, 'restore', '-d', '-D', images, '-v4', '-o', 'restore.log'], check=False)
        with open(f'{images}/restore.log', encoding='utf-8') as log:
            assert done.returncode == 0, log.read()
        use(socket, number)
    tmux(socket, 'kill-server')
    print('all well')


main()
