# SPDX-License-Identifier: GPL-2.0-only
"""
A container's own systemd mounts hierarchies of cgroups that the machine has not. They end with the container and are made again. Here, as nobody
else may look at the machine's hierarchies meanwhile.
"""
import os
import subprocess
import time
from pathlib import Path

import pytest
from room import wait_until

INSIDE = 'mkdir $0/n && mount -t cgroup -o net_cls none $0/n && mkdir $0/n/x && echo 0 > $0/n/x/cgroup.procs && exec sleep 1000'


def has_hierarchy():
    """Whether the machine has one of net_cls."""
    return 'net_cls' in Path('/proc/self/cgroup').read_text()


def end_hierarchy(folder):
    """The dead may still be on their way out of its cgroup, and the kernel be busy with it."""
    def try_it():
        subprocess.run(['mount', '-t', 'cgroup', '-o', 'net_cls', 'none', folder], check=True)
        try:
            os.rmdir(folder / 'x')
        except FileNotFoundError:
            pass
        except OSError:
            return False
        finally:
            subprocess.run(['umount', folder], check=True)
        end = time.monotonic() + 0.5        # to mount it sooner would keep it
        while has_hierarchy() and time.monotonic() < end:
            time.sleep(0.01)
        return not has_hierarchy()
    wait_until(try_it, 20)


def run(criu, command, images, *options):
    """Runs criu; returns its status and what it said."""
    done = subprocess.run([criu, command, '-D', images, '-v4', '-o', f'{command}.log', *options], check=False)
    return done.returncode, (images / f'{command}.log').read_text()


def test_made_again(criu, folder):
    """Twice in a row; a restore that fails leaves none, and --manage-cgroups=none makes none."""
    controllers = [line.split() for line in Path('/proc/cgroups').read_text().splitlines()]
    if ['0', '1'] not in [[words[1], words[3]] for words in controllers if words[0] == 'net_cls'] or not any(words[1] > '0' for words in controllers[1:]):
        pytest.skip('net_cls is in use here, or there are no hierarchies of the first version')
    mounts = folder / 'm'
    mounts.mkdir()
    with subprocess.Popen(['unshare', '-m', '--propagation', 'private', '-p', '-f', '--mount-proc', 'setsid', 'sh', '-ec',
                           'mount -t tmpfs none $0; ' + INSIDE, mounts], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as outer:
        children = Path(f'/proc/{outer.pid}/task/{outer.pid}/children')
        pid, = wait_until(lambda: children.read_text().split(), 20)
        wait_until(lambda: Path(f'/proc/{pid}/comm').read_text() == 'sleep\n', 20)
        for number in range(2):
            images = folder / str(number)
            images.mkdir()
            status, log = run(criu, 'dump', images, '-t', pid)
            assert status == 0, log
            if number == 0:
                outer.wait(60)
            end_hierarchy(mounts)
            status, log = run(criu, 'restore', images, '-d', '--manage-cgroups=none')
            assert status != 0 and 'the tasks were in cgroups of net_cls, which this machine does not have' in log, log
            status, log = run(criu, 'restore', images, '-d', '--action-script', '[ $CRTOOLS_SCRIPT_ACTION != post-restore ]')
            assert status != 0 and not has_hierarchy(), log
            status, log = run(criu, 'restore', images, '-d', '--pidfile', images / 'pid')
            assert status == 0, log
            pid = (images / 'pid').read_text()
            assert ':net_cls:/x\n' in Path(f'/proc/{pid}/cgroup').read_text()
            assert Path(f'/proc/{pid}/root{mounts}/n/x/cgroup.procs').read_text().strip()
    os.kill(int(pid), 9)
    end_hierarchy(mounts)
