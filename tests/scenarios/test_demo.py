# SPDX-License-Identifier: GPL-2.0-only
"""make demo works with and without a terminal, and says in three lines what happened."""
import os
import pty
import subprocess

DEMO = os.path.join(os.path.dirname(__file__), '../demo/run')


def check_told(text):
    """The three lines, and nothing else."""
    lines = text.split('\n')
    assert [line[:2] for line in lines if line] == ['1.', '2.', '3.'], text


def test_without_terminal(build):
    """As a cron job or a build machine would run it."""
    done = subprocess.run([DEMO, build], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=120, check=False, start_new_session=True)
    assert done.returncode == 0, done.stdout
    check_told(done.stdout)


def test_in_terminal(build):
    """As somebody types it: the session has a terminal."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(DEMO, [DEMO, str(build)])
    text = b''
    try:
        while chunk := os.read(terminal, 4096):
            text += chunk
    except OSError:
        pass    # EIO: the other side is closed
    _, status = os.waitpid(pid, 0)
    text = text.decode().replace('\r', '')
    assert status == 0, text
    check_told(text)
