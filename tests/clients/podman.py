# SPDX-License-Identifier: GPL-2.0-only
"""podman with an image, a storage and limits of its own."""
import json
import os
import shutil
import socket
import subprocess

from engine import COUNT, Engine, limits, need, talk


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
            self.preflight(name, *options)
            self.call('container', 'checkpoint', *options, name)
            before = self.count(name)
            self.call('container', 'restore', *options, name)
            self.wait_more(name, before)
            assert self.count(name) < before + 10000
        assert self.call('exec', name, '/bin/cat', '/dev/shm/kept').strip() == 'kept'

    def keep_bridge(self, name, settings):
        """
        With users of its own the runtime makes the network, and podman only joins it to the bridge when it starts the container: a file of
        criu's names the other end for the restore.
        """
        bridge = json.loads(self.call('network', 'inspect', 'podman'))[0]['network_interface']
        settings.parent.mkdir(exist_ok=True)
        self.run(name, '--uidmap', '0:100000:65536')
        ask = ('exec', name, 'ip', 'route')
        before = self.call(*ask)
        assert 'eth0' in before
        self.call('container', 'checkpoint', '--leave-running', name)
        settings.write_text(f'external veth[eth0]:criu0@{bridge}\n')
        try:
            self.twice(name)
        finally:
            settings.unlink()
        assert self.call(*ask) == before
        assert f'master {bridge}' in subprocess.run(['ip', 'link', 'show', 'criu0'], stdout=subprocess.PIPE, text=True, check=True).stdout

    def whole_pod(self, share):
        """All of a pod, the container last that holds its namespaces, and that one first again; a client outside keeps its connection."""
        self.call('pod', 'create', '--name', 'pod', '--share', share, check=False)
        self.run('one', '--pod', 'pod', script='nc -l -p 7777 -e cat & ' + COUNT)
        self.run('two', '-t', '--pod', 'pod')
        infra = self.state('one')['HostConfig']['NetworkMode'].split(':')[1]
        names = ('one', 'two', infra)
        with socket.create_connection((self.state(infra)['NetworkSettings']['IPAddress'], 7777), timeout=20) as connection:
            for _ in range(2):
                talk(connection)
                self.call('container', 'checkpoint', '--tcp-established', *names)
                before = self.count('one'), self.count('two')
                self.call('container', 'restore', '--tcp-established', infra, 'one', 'two')
                talk(connection)
                self.wait_more('one', before[0])
                self.wait_more('two', before[1])
        for kind in share.split(','):
            assert len({os.readlink(f"/proc/{self.state(name)['State']['Pid']}/ns/{kind}") for name in names}) == 1, kind

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
