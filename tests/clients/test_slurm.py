# SPDX-License-Identifier: GPL-2.0-only
"""examples/slurm on a Slurm of one node: a job is preempted and goes on, and again when its time is over."""
import os
import shutil
import socket
import subprocess
from pathlib import Path

import pytest
from engine import need
from room import wait_until

EXAMPLE = Path(__file__).resolve().parents[2] / 'examples/slurm'

CONFIG = '''
ClusterName=one
SlurmctldHost={1}(10.99.0.1)
SlurmctldPort={2}
SlurmdPort={3}
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={0}/munge.socket
CredType=cred/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
SlurmctldPidFile={0}/slurmctld.pid
SlurmdPidFile={0}/slurmd.pid
SlurmdSpoolDir={0}/spool
StateSaveLocation={0}/state
SlurmctldParameters=preempt_send_user_signal
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
NodeName={1} NodeAddr=10.99.0.1 CPUs=1 RealMemory=100
PartitionName=low Nodes={1} Default=YES PriorityTier=1 GraceTime=30
PartitionName=high Nodes={1} PriorityTier=2 PreemptMode=OFF
'''

COUNT = 'n=0; while [ $n -lt 100000 ]; do n=$((n + 1)); echo $n; sleep 0.1; done'


def free_port():
    """One that nobody listens on."""
    with socket.socket() as one:
        one.bind(('127.0.0.1', 0))
        return one.getsockname()[1]


class Slurm:
    """Its daemons, in the foreground."""

    def __init__(self, folder, criu):
        self.folder = folder
        self.daemons = []
        self.env = {**os.environ, 'SLURM_CONF': str(folder / 'slurm.conf'), 'CRIU': str(criu)}
        (folder / 'state').mkdir()
        (folder / 'munge.key').write_bytes(os.urandom(128))
        (folder / 'munge.key').chmod(0o600)
        # Slurm finds no address in a network that has nothing but "lo" (AI_ADDRCONFIG).
        subprocess.run(['sh', '-ec', 'ip link add outside type veth peer inside; ip address add 10.99.0.1/24 dev outside; ip link set outside up; '
                                     'ip link set inside up'], check=True)
        host = socket.gethostname().split('.')[0]
        (folder / 'slurm.conf').write_text(CONFIG.format(folder, host, free_port(), free_port()))
        self.start('munged', '-F', '--force', f'--key-file={folder}/munge.key', f'--socket={folder}/munge.socket', f'--pid-file={folder}/munge.pid',
                   f'--seed-file={folder}/munge.seed', f'--log-file={folder}/munge.log')
        wait_until((folder / 'munge.socket').exists, 20, 'munged does not start')
        self.start('slurmctld', '-D')
        wait_until(lambda: 'low' in self.call('sinfo', '-h') or self.daemons[-1].poll() is not None, 60, self.tell)
        self.start('slurmd', '-D', '-N', host)
        wait_until(lambda: 'idle' in self.call('sinfo', '-h', '-o', '%T'), 60, self.tell)

    def start(self, *words):
        """A daemon with a log."""
        with open(self.folder / f'{words[0]}.out', 'wb') as log:
            self.daemons.append(subprocess.Popen(words, env=self.env, stdin=subprocess.DEVNULL, stdout=log, stderr=log))    # pylint: disable=consider-using-with

    def call(self, *words):
        """What a command says."""
        return subprocess.run(words, env=self.env, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              timeout=60, check=False).stdout

    def tell(self):
        """What is known when something does not happen."""
        return '\n'.join(path.read_text(errors='replace')[-3000:] for path in (*self.folder.glob('*.out'), *self.folder.glob('job/*.log'), self.folder / 'log')
                         if path.exists())

    def stop(self):
        """The last first."""
        for daemon in reversed(self.daemons):
            daemon.terminate()
            daemon.wait(30)


@pytest.fixture(name='slurm')
def start_slurm(criu):
    """One node."""
    need('slurmctld', 'slurmd', 'munged', 'sbatch')
    folder = Path('/var/tmp') / f'criu-slurm-{os.getpid()}'
    folder.mkdir()
    slurm = Slurm(folder, criu)
    yield slurm
    slurm.call('scancel', '--full', '--me')
    wait_until(lambda: not slurm.call('squeue', '-h').strip(), 60, slurm.tell)
    slurm.stop()
    shutil.rmtree(folder)


def test_preempted_and_over(slurm):
    """Nothing is counted twice, nothing is left out."""
    output, folder = slurm.folder / 'job/output', slurm.folder / 'job'

    def count():
        return len(output.read_text().splitlines()) if output.exists() else 0

    def await_requeued(times):
        wait_until(lambda: slurm.call('squeue', '-h', '-o', '%T %r').strip() == 'PENDING BeginTime', 120, slurm.tell)
        assert (slurm.folder / 'log').read_text().count('queued again') == times, slurm.tell()
        assert (folder / 'checkpoint/inventory.img').exists()

    def await_more(number):
        before = count()
        slurm.call('scontrol', 'update', f'JobId={number}', 'StartTime=now')
        wait_until(lambda: count() > before + 20, 60, slurm.tell)

    said = slurm.call('sbatch', '--parsable', '--requeue', '--open-mode=append', '--signal=B:USR1@60', '--time=2', '-o', 'log',
                      '--wrap', f"exec {EXAMPLE}/criu-job {folder} sh -c '{COUNT}'")
    number = int(said.split(';')[0])
    wait_until(lambda: count() > 20, 60, slurm.tell)
    slurm.call('sbatch', '-p', 'high', '--wrap', 'sleep 1', '-o', 'high.log')
    await_requeued(1)
    wait_until(lambda: 'high' not in slurm.call('squeue', '-h', '-o', '%P'), 60, slurm.tell)
    await_more(number)
    await_requeued(2)       # by the end of its two minutes
    await_more(number)
    lines = output.read_text().split()
    assert lines == [str(n + 1) for n in range(len(lines))]
