# SPDX-License-Identifier: GPL-2.0-only
"""podman with an image, a storage and limits of its own."""
import json
import shutil

from engine import Engine, limits, need


def run_podman(criu, runtime='runc'):
    """For a fixture of the scope "module": a Podman, as long as it is needed."""
    need('podman', 'busybox')
    made = Podman(criu, runtime)
    yield made
    made.close()


class Podman(Engine):
    """Containers of podman."""
    program = 'podman'

    def __init__(self, criu, runtime='runc'):
        super().__init__(criu)
        settings = self.folder / 'containers.conf'
        settings.write_text(f'[containers]\ndefault_ulimits = {json.dumps(limits())}\ninit_path = "{shutil.which("catatonit") or ""}"\n'
                            f'[engine]\nruntime = "{runtime}"\nlock_type = "file"\n')
        self.env['CONTAINERS_CONF'] = str(settings)
        self.make_image()

    def command(self):
        """With all that it keeps in our folder."""
        return [self.program, '--root', self.folder / 'storage', '--runroot', self.folder / 'run', '--tmpdir', self.folder / 'tmp',
                '--cgroup-manager', 'cgroupfs']

    def twice(self, name, *options):
        """Checkpointed and restored, and again; a command runs in it."""
        for _ in range(2):
            self.call('container', 'checkpoint', *options, name)
            before = self.count(name)
            self.call('container', 'restore', *options, name)
            self.wait_more(name, before)
            assert self.count(name) < before + 10000
        assert self.call('exec', name, '/bin/cat', '/dev/shm/kept').strip() == 'kept'

    def cause(self, log):
        """The first error in the newest log of this name."""
        path = max(self.folder.glob(f'storage/**/userdata/{log}'), key=lambda path: path.stat().st_mtime)
        return next(line for line in path.read_text().splitlines() if 'Error' in line)

    def clear(self):
        """Removes containers, pods and what they had."""
        for _ in range(2):      # at first only those that no other one leans on
            self.call('rm', '-fa', '-t', '0', check=False)
        self.call('pod', 'rm', '-fa', '-t', '0', check=False)
        self.call('volume', 'rm', '-fa', check=False)
        self.call('secret', 'rm', '-a', check=False)

    def close(self):
        """Removes everything."""
        self.clear()
        self.call('network', 'prune', '-f', check=False)
        super().close()
