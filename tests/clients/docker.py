# SPDX-License-Identifier: GPL-2.0-only
"""docker with a daemon and a storage of its own."""
import subprocess

import pytest
from engine import Engine
from room import wait_until


class Docker(Engine):
    """One daemon with its containers."""
    program = 'docker'

    def __init__(self, criu, *options):
        super().__init__(criu)
        self.env.update(DOCKER_HOST=f'unix://{self.folder}/socket', DOCKER_CONFIG=str(self.folder / 'config'))
        with (self.folder / 'log').open('w') as log:
            self.daemon = subprocess.Popen(['dockerd', '--experimental', '--data-root', self.folder / 'data', '--exec-root', self.folder / 'exec',
                                            '-p', self.folder / 'pid', '-H', self.env['DOCKER_HOST'], *options],
                                           env=self.env, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def start(self):
        """Waits for the daemon and gives it an image, or skips the test."""
        wait_until(lambda: self.daemon.poll() is not None or self.call('version', check=False)[0] == 0, 60, 'dockerd does not answer')
        if self.daemon.poll() is not None:
            pytest.skip(f'dockerd cannot run here: {(self.folder / "log").read_text()[-500:]}')
        self.make_image()

    def start_from(self, name, checkpoint):
        """docker start --checkpoint; again while containerd has not yet thrown away what the checkpoint left in its store."""
        said = ''

        def started():
            nonlocal said
            code, said = self.call('start', '--checkpoint', checkpoint, name, check=False)
            return code == 0 or 'already exists' not in said and pytest.fail(said + self.logs())
        wait_until(lambda: not self.state(name)['State']['Running'], 60, 'it still runs')
        wait_until(started, 60, lambda: said)

    def twice(self, name):
        """Checkpointed and restored, and again; a command runs in it."""
        for checkpoint in ('first', 'second'):
            self.preflight(name)
            self.call('checkpoint', 'create', name, checkpoint)
            before = self.count(name)
            self.start_from(name, checkpoint)
            self.wait_more(name, before)
            assert self.count(name) < before + 10000
        # What is shared with other containers lies on the host, and docker empties it when a container ends.
        if self.state(name)['HostConfig']['IpcMode'] != 'shareable':
            assert self.call('exec', name, '/bin/cat', '/dev/shm/kept').strip() == 'kept'

    def clear(self):
        """Removes the containers."""
        names = self.call('ps', '-aq').split()
        if names:
            self.call('rm', '-fv', *names, check=False)

    def close(self):
        """Removes everything."""
        if self.daemon.poll() is None:
            self.clear()
            self.daemon.terminate()
            self.daemon.wait(60)
        super().close()
