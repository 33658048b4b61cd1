# SPDX-License-Identifier: GPL-2.0-only
"""Programs that serve file systems by FUSE, in the tree that uses them: what Debian has of them, and is installed."""
import shutil
import subprocess

import pytest

from mounts import Program
from room import PROGRAMS, wait_until

# What a shell does before, in the directory W, and the program that serves W/mnt; its content is that of W/src.
SERVERS = {
    'bindfs': ('', 'bindfs -f src mnt'),
    'fuse-overlayfs': ('mkdir upper work', 'fuse-overlayfs -f -o lowerdir=src,upperdir=upper,workdir=work mnt'),
    'gocryptfs': ('echo word > word; mkdir cipher; gocryptfs -q -init -scryptn 10 -passfile word cipher',
                  'gocryptfs -q -fg -passfile word cipher mnt'),
    'encfs': ('mkdir cipher', 'echo word | encfs -f -S --standard $W/cipher $W/mnt'),
    'mergerfs': ('mkdir other', 'mergerfs -f -o category.create=ff src:other mnt'),
    'unionfs': ('mkdir upper', 'unionfs -f -o cow upper=RW:src=RO mnt'),
    'archivemount': ('tar -C src -cf all.tar .', 'archivemount -f -o nobackup all.tar mnt'),
    'fuse-zip': ('cd src; python3 -m zipfile -c ../all.zip .; cd ..', 'fuse-zip -f all.zip mnt'),
    'fuse2fs': ('/sbin/mkfs.ext4 -q -d src all.ext4 10M', 'fuse2fs -f all.ext4 mnt'),
    'ntfs-3g': ('truncate -s 10M all.ntfs; /sbin/mkntfs -q -F all.ntfs > /dev/null', 'ntfs-3g -o no_detach all.ntfs mnt'),
    'disorderfs': ('', 'disorderfs -f src mnt'),
    'squashfuse': ('mksquashfs src all.sq -quiet -no-progress >/dev/null', 'squashfuse -f all.sq mnt'),
    'rclone': ('', 'rclone mount --config $W/none --vfs-cache-mode writes --cache-dir $W/cache :local:$W/src $W/mnt'),
}
READ_ONLY = 'squashfuse'
EMPTY = ('gocryptfs', 'encfs', 'ntfs-3g')  # what they serve is filled through them


class Served(Program):
    """A program that works in a file system that its child serves."""

    def begin(self, name, prepare, server, own_pids=False, how=('/usr/bin/unshare', '-m')):
        """Until it works; own_pids: it is the first process, and gets the children of those that end."""
        if own_pids:
            how = ('/usr/bin/unshare', '-pfm', '--mount-proc', '/usr/bin/setsid')
        self.pid = self.room.start(self.folder / 'output', *how, PROGRAMS / 'serve-folder.sh', self.folder, prepare, server,
                                   'mnt' if name in EMPTY else '', *(['readonly'] if name == READ_ONLY else []), cwd='/')
        self.goes_on()
        if own_pids:
            self.pid = next(pid for pid in self.room.pids() if self.is_first(pid))

    def count(self):
        """The rounds of the program; 0: none yet."""
        text = self.out / 'count'
        return int(text.read_text() or 0) if text.exists() else 0

    def goes_on(self):
        """It works some rounds more."""
        before = self.count()
        failed = self.out / 'failed'
        wait_until(lambda: self.count() > before + 5 or failed.exists(), 60, lambda: (self.folder / 'output').read_text())
        assert not failed.exists(), failed.read_text()


@pytest.mark.parametrize('propagation', ['private', 'shared'])
@pytest.mark.parametrize('name', SERVERS)
def test_twice(room, criu, folder, name):
    """It is dumped and restored twice, and left running by a dump in between."""
    prepare, server = SERVERS[name]
    need(name, *(['mksquashfs'] if name == 'squashfuse' else []))
    served = Served(room, criu, folder)
    served.begin(name, prepare, server)
    again_and_again(served, '--file-locks')  # ntfs-3g locks what it serves from


def test_namespace_of_child(room, criu, folder):
    """The first process is in the mount namespace of criu, its child and the server of that are in another one."""
    need('bindfs')
    served = Served(room, criu, folder)
    served.begin('bindfs', *SERVERS['bindfs'], how=('/bin/sh', '-c', 'unshare -m "$@" & wait', '-'))
    again_and_again(served)


@pytest.mark.parametrize('propagation', ['shared'])
@pytest.mark.parametrize('how', ['ours', 'seen'])
def test_mounted_where_criu_is(room, criu, folder, how):
    """What is served in the tree, but mounted in the namespace of criu, or there as well, is refused while its server runs."""
    need('bindfs')
    served = Served(room, criu, folder)
    served.begin('bindfs', *SERVERS['bindfs'], how=('/usr/bin/env',) if how == 'ours' else ('/usr/bin/unshare', '-m', '--propagation', 'unchanged'))
    code, said = served.call('dump', '-t', served.pid)
    assert code == 1 and f'serves a FUSE file system, {folder}/mnt, that is mounted in the mount namespace of criu' in said, said
    served.goes_on()
    assert served.call('check', '--tree', served.pid)[0] == 1
    served.goes_on()


SSHD = shutil.which('sshd', path='/usr/sbin:/sbin:/usr/local/sbin')
SFTP = '/usr/lib/openssh/sftp-server'
SSH_OPTIONS = 'Port=2222,IdentityFile=$W/user,StrictHostKeyChecking=no,UserKnownHostsFile=/dev/null,GlobalKnownHostsFile=/dev/null,IdentitiesOnly=yes'
# How sshfs gets at a server of files.
LINKS = {
    'ssh': f'sshfs -f -o {SSH_OPTIONS} root@127.0.0.1:$W/src mnt',
    'direct': f'socat tcp-listen:2223,bind=127.0.0.1,reuseaddr exec:{SFTP} & sleep 0.5; sshfs -f -o directport=2223 127.0.0.1:$W/src mnt',
    'passive': f'socat exec:{SFTP} "exec:sshfs -f -o passive somebody\\:$W/src $W/mnt"',
}


def need(*programs):
    """Skips the test without them."""
    for program in programs:
        if not program or not shutil.which(program):
            pytest.skip(f'no {program or "sshd"} here')


def make_keys(folder):
    """Of a server of ssh and of who may log in; what a shell does to start the server."""
    for name in ('host', 'user'):
        subprocess.run(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', folder / name], check=True)
    (folder / 'sshd_config').write_text(f'Port 2222\nListenAddress 127.0.0.1\nHostKey {folder}/host\nAuthorizedKeysFile {folder}/user.pub\n'
                                        f'PidFile {folder}/sshd.pid\nStrictModes no\nUsePAM no\nSubsystem sftp {SFTP}\n')
    return f'mkdir -p /run/sshd; {SSHD} -D -f {folder}/sshd_config -E {folder}/sshd.log < /dev/null'


@pytest.mark.parametrize('lock', ['nftables', 'iptables'])
@pytest.mark.parametrize('link', LINKS)
def test_sshfs(room, criu, folder, link, lock):
    """sshfs, what it speaks with, and who uses it, in one tree; connections are locked meanwhile, and a script runs."""
    need('sshfs', SFTP, *([SSHD, 'ssh'] if link == 'ssh' else ['socat']))
    start = f'{make_keys(folder)} & until test -e sshd.pid; do sleep 0.1; done; ' if link == 'ssh' else ''
    served = Served(room, criu, folder)
    served.begin('sshfs', '', start + LINKS[link], own_pids=True)
    script = shutil.copy(PROGRAMS / 'note-action.sh', folder)  # it writes where it lies
    again_and_again(served, '--tcp-established', '--network-lock', lock, '--action-script', script)
    assert 'post-dump' in (folder / 'calls').read_text()


@pytest.mark.parametrize('lock', ['nftables', 'iptables'])
def test_sshfs_outside(room, criu, folder, lock):
    """The same with a server of ssh that is not in the tree: its connection is as it was afterwards."""
    need('sshfs', SSHD, 'ssh')
    served = Served(room, criu, folder)
    room.start(folder / 'sshd.output', '/bin/sh', '-ec', f'{make_keys(folder).replace("sshd; ", "sshd; exec ")}')
    wait_until((folder / 'sshd.pid').exists, 20)
    served.begin('sshfs', '', LINKS['ssh'], own_pids=True)
    again_and_again(served, '--tcp-established', '--network-lock', lock)


def again_and_again(served, *options):
    """Left running, dumped and restored, twice."""
    for _ in range(2):
        code, said = served.call('dump', '-t', served.pid, '--leave-running', *options)
        assert code == 0, said
        served.goes_on()
        served.dump(*options)
        code, said = served.call('restore', '-d', *options)
        assert code == 0, said
        served.goes_on()
