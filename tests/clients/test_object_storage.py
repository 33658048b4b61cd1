# SPDX-License-Identifier: GPL-2.0-only
"""examples/object-storage with s3cmd and rclone, on a server of this machine: a program ends only when all of it is stored."""
import os
import shutil
import socket
import subprocess
from pathlib import Path

import pytest
from engine import need
from room import wait_until

EXAMPLE = Path(__file__).resolve().parents[2] / 'examples/object-storage/criu-bucket'
COUNT = 'n=0; while :; do n=$((n + 1)); echo $n; sleep 0.1; done'
KEY = 'S3RVER'      # the only one that s3rver knows


def is_open(port):
    """Somebody listens."""
    with socket.socket() as one:
        return one.connect_ex(('127.0.0.1', port)) == 0


class Storage:
    """A server with the bucket "checkpoints", and how it is named."""

    def __init__(self, folder, port, server, place):
        self.place = place
        self.log = (folder / 'server.log').open('wb+')
        self.server = subprocess.Popen(server, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        wait_until(lambda: is_open(port), 60, lambda: f'{server[0]} does not listen: {(folder / "server.log").read_text()}')

    def close(self):
        """It ends."""
        self.server.terminate()
        self.server.wait(60)
        self.log.close()


@pytest.fixture(params=('s3cmd', 'rclone', 'rclone-webdav'))
def storage(request, tmp_path, monkeypatch):
    """s3cmd or rclone at s3rver, an S3 server of npm, or rclone at its own WebDAV server."""
    program, *other = request.param.split('-')
    need(program)
    if not other and not shutil.which('s3rver'):
        pytest.skip('there is no s3rver: npm install -g s3rver')
    with socket.socket() as one:
        one.bind(('127.0.0.1', 0))
        port = one.getsockname()[1]
    (tmp_path / 'data/checkpoints').mkdir(parents=True)
    (tmp_path / 'rclone.conf').write_text(
        f'[s3]\ntype = s3\nprovider = Other\naccess_key_id = {KEY}\nsecret_access_key = {KEY}\nendpoint = http://127.0.0.1:{port}\n'
        f'[dav]\ntype = webdav\nurl = http://127.0.0.1:{port}\nvendor = other\n')
    (tmp_path / '.s3cfg').write_text(f'[default]\naccess_key = {KEY}\nsecret_key = {KEY}\nhost_base = 127.0.0.1:{port}\n'
                                     f'host_bucket = 127.0.0.1:{port}\nuse_https = False\n')
    monkeypatch.setenv('HOME', str(tmp_path))
    monkeypatch.setenv('RCLONE_CONFIG', str(tmp_path / 'rclone.conf'))
    monkeypatch.setenv('RCLONE_RETRIES', '1')
    monkeypatch.setenv('RCLONE_LOW_LEVEL_RETRIES', '1')
    monkeypatch.delenv('AWS_CA_BUNDLE', raising=False)
    if other:
        server = ['rclone', 'serve', 'webdav', str(tmp_path / 'data'), '--addr', f'127.0.0.1:{port}']
    else:
        server = ['s3rver', '-d', str(tmp_path / 'data'), '-p', str(port), '--configure-bucket', 'checkpoints']
    made = Storage(tmp_path, port, server, {'s3cmd': 's3://', 'rclone': 's3:', 'rclone-webdav': 'dav:'}[request.param])
    yield made
    made.close()


class Counter:
    """A shell that counts into a file."""

    def __init__(self, folder, criu):
        self.output, self.criu = folder / 'output', criu
        with self.output.open('wb') as output:
            self.process = subprocess.Popen(['/bin/sh', '-c', COUNT], stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True)
        self.pid = self.process.pid
        self.wait_more()

    def lines(self):
        """How far it is. It has not left out anything."""
        words = self.output.read_text().split()
        assert [int(word) for word in words] == list(range(1, len(words) + 1))
        return len(words)

    def wait_more(self):
        """It counts on."""
        before = self.lines()
        wait_until(lambda: self.lines() > before + 1, 60, lambda: f'it does not count on after {before}')

    def call(self, *words):
        """The example, with this criu."""
        return subprocess.run([EXAMPLE, *words], env={**os.environ, 'CRIU': str(self.criu), 'PACK': 'gzip', 'UNPACK': 'gzip -d'}, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300, check=False)

    def is_gone(self):
        """Our child, or a child of another."""
        self.process.poll()
        return not os.path.exists(f'/proc/{self.pid}')

    def close(self):
        """Ends it, whoever its parent is."""
        if not self.is_gone():
            os.kill(self.pid, 9)
        wait_until(self.is_gone, 60, lambda: f'{self.pid} does not end')


@pytest.fixture
def counter(tmp_path, criu):
    """It is gone afterwards."""
    one = Counter(tmp_path, criu)
    yield one
    one.close()


def test_there_and_back(storage, counter):
    """Twice in a row, with compression, and nothing is left here."""
    for turn in range(2):
        place = f'{storage.place}checkpoints/turn-{turn}'
        done = counter.call('save', str(counter.pid), place)
        assert done.returncode == 0, done.stdout
        wait_until(counter.is_gone, 60, lambda: 'it runs on')
        done = counter.call('restore', place)
        assert done.returncode == 0, done.stdout
        counter.wait_more()


def test_storage_that_fails(storage, counter):
    """The program runs on if there is nothing to store it in; a restore of what is not there leaves nothing."""
    storage.server.terminate()
    storage.server.wait(60)
    done = counter.call('save', str(counter.pid), f'{storage.place}checkpoints/never')
    assert done.returncode != 0, done.stdout
    counter.wait_more()
    done = counter.call('restore', f'{storage.place}checkpoints/never', '--new-pidns')
    assert done.returncode != 0, done.stdout
    counter.wait_more()
