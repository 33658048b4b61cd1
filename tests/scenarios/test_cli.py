# SPDX-License-Identifier: GPL-2.0-only
"""What a user sees of the command line: messages and exit codes. No task is dumped here."""
import os
import re
import stat
import subprocess
from pathlib import Path

import pytest

# As CRIU 4.2 names them.
FEATURES = '''mnt_id mem_dirty_track aio_remap timerfd tun tun_ns userns fdinfo_lock seccomp_suspend seccomp_filters loginuid
cgroupns autofs tcp_half_closed compat_cr uffd uffd-noncoop can_map_vdso sk_ns sk_unix_file net_diag_raw nsid link_nsid
kcmp_epoll timens external_net_ns clone3_set_tid newifindex nftables has_ipt_legacy pidfd_store ns_pid apparmor_stacking
network_lock_nftables sockopt_buf_lock memfd_hugetlb move_mount_set_group openat2 get_rseq_conf ipv6_freebind pagemap_scan
timer_cr_ids overlayfs_maps breakpoints pagemap_scan_guard_pages'''.split()


@pytest.fixture
def run(criu, folder):
    """run('check', '-v4') runs criu in a fresh directory, without the user's configuration."""
    def run_criu(*words, before=(), env=None, **more):
        clean = {'PATH': os.environ['PATH'], 'LC_ALL': 'C', 'HOME': str(folder), **(env or {})}
        return subprocess.run([*before, str(criu), *words], cwd=folder, env=clean, capture_output=True, text=True,
                              timeout=120, check=False, **more)
    return run_criu


USAGE = 'Usage:'


@pytest.mark.parametrize('words, code, out, err', [
    # what is not a command line at all: a reason on stderr, the usage on stdout
    ('', 1, USAGE, 'Error .*command is missing'),
    ('nonsense', 1, USAGE, 'Error .*nonsense'),
    ('dump -t 1 more', 1, USAGE, 'Error .*more'),
    ('dump --bogus', 1, USAGE, "unrecognized option '--bogus'"),
    ('dump --shell-job=yes', 1, USAGE, "doesn't allow an argument"),
    ('dump --tree', 1, USAGE, 'requires an argument'),
    ('dump --tcp', 1, USAGE, 'ambiguous'),
    ('cpuinfo', 1, USAGE, 'Error .*cpuinfo'),
    ('cpuinfo nonsense', 1, USAGE, 'Error .*cpuinfo nonsense'),
    ('cpuinfo dump --cpu-cap=nonsense', 1, USAGE, 'Error .*nonsense'),
    ('restore --manage-cgroups=nonsense', 1, USAGE, 'Error .*nonsense'),
    ('restore --file-validation nonsense', 1, USAGE, 'Error .*nonsense'),
    # asked for
    ('--help', 0, '--restore-detached', '^$'),
    ('nonsense -h', 0, '--restore-detached', '^$'),
    ('--version', 0, r'^Version: \d+\.\d+', '^$'),
    ('-V', 0, r'^Version: \d+\.\d+', '^$'),
    # bad values: only the reason
    ('dump -t 0', 1, '^$', 'Error .*--tree'),
    ('dump -t x', 1, '^$', 'Error .*--tree'),
    ('cpuinfo dump -v9x', 1, '^$', 'Error .*--verbosity'),
    ('check --close 999', 1, '^$', 'Error .*999'),
    ('check --ms', 1, '^$', 'Error .*--ms'),
    # the rest of the start
    ('check -D nowhere', 1, '^$', 'Error .*images directory nowhere.*No such file'),
    ('check -W nowhere', 1, '^$', 'Error .*work directory nowhere.*No such file'),
    ('check -o nowhere/log', 1, '^$', 'Error .*nowhere/log.*No such file'),
    # commands with another fate
    ('exec', 255, '^$', 'Error .*compel'),
    ('show x.img', 255, '^$', r'Error .*crit decode -i NAME --pretty'),
    ('swrk', 1, '^$', 'Usage: criu swrk'),
    ('swrk 3 4', 1, '^$', 'Usage: criu swrk'),
    ('check --close 77', 1, '^$', r'Error .*--close 77: this descriptor is not open$'),
    ('check --feature list --config nowhere', 0, 'openat2', r'Warn .*--config nowhere: there is no such file'),
    ('check --feature list --leave-running', 0, 'openat2', r'Warn .*criu check has no use for --leave-running$'),
    ('check --feature nonsense', 1, '^$', 'Error .*nonsense'),
    ('cpuinfo check', 1, '^$', 'Error .*cpuinfo.img is missing'),
])
def test_exit_codes(run, words, code, out, err):
    """Exit code, stdout, stderr of command lines that end at once."""
    done = run(*words.split())
    assert done.returncode == code, done
    assert re.search(out, done.stdout, re.M if out != '^$' else 0), done
    assert re.search(err, done.stderr, re.M if err != '^$' else 0), done


def test_version_lines(run):
    """Clients look for 'Version: ' and 'GitID: ': our own version is neither."""
    lines = run('--version').stdout.splitlines()
    assert re.fullmatch(r'Version: 4\.2', lines[0])
    assert len(lines) == 2 and not lines[1].startswith(('Version', 'GitID'))


def test_help_names_all_options(run):
    """Every option of CRIU 4.2 stands in the help text."""
    text = run('--help').stdout
    for name in ('tree', 'leave-running', 'cpu-cap', 'external', 'inherit-fd', 'tcp-established', 'ghost-limit',
                 'manage-cgroups', 'file-validation', 'feature', 'log-file', 'track-mem', 'page-server', 'tls-key'):
        assert re.search(rf'--{name}\b', text), name
    assert max(len(line) for line in text.splitlines()) <= 80


def test_rights(run):
    """Without the capability, and without being root, a line on stdout says what is missing."""
    done = run('check', before=['setpriv', '--bounding-set', '-all'])
    assert (done.returncode, done.stderr) == (1, '')
    assert 'CAP_SYS_ADMIN' in done.stdout and 'CAP_CHECKPOINT_RESTORE' in done.stdout

    user = ['setpriv', '--reuid', '65534', '--clear-groups', '--inh-caps', '+sys_admin', '--ambient-caps', '+sys_admin']
    done = run('check', before=user)
    assert (done.returncode, done.stderr) == (1, '')
    assert '--unprivileged' in done.stdout
    done = run('check', '--feature', 'list', '--unprivileged', before=user)
    assert done.returncode == 0, done


def test_log_file(run, folder):
    """The log lies in the work directory, for its owner only, new each time."""
    (folder / 'images').mkdir()
    (folder / 'work').mkdir()
    for _ in range(2):
        done = run('check', '--feature', 'nonsense', '-D', 'images', '-W', 'work', '-o', 'check.log', '-v4')
        assert (done.returncode, done.stderr) == (1, '')
    log = folder / 'work/check.log'
    assert stat.S_IMODE(log.stat().st_mode) == 0o600
    lines = log.read_text().splitlines()
    assert all(re.match(r'\(\d\d\.\d{6}\) ', line) for line in lines), lines
    assert sum('Error (' in line for line in lines) == 1
    assert '4.2' in lines[0] and os.uname().release in lines[1]

    done = run('check', '-D', 'images', '-o', 'log')
    assert (folder / 'images/log').exists()
    done = run('check', '-v4', '-o', '-')
    assert 'Running on' in done.stdout and done.stderr == ''


def test_levels(run):
    """-v1 and -v0 make it quiet; messages for the user stay."""
    assert 'Warn ' in run('restore', '-t', '1', '-v2').stderr
    assert 'Warn ' not in run('restore', '-t', '1', '-v1').stderr
    assert 'Error' not in run('check', '--feature', 'nonsense', '-v0').stderr


def test_config_files(run, folder):
    """Home, environment, --config, command line, in this order."""
    (folder / '.criu').mkdir()
    (folder / '.criu/default.conf').write_text('verbosity 4\n# a comment\nlog-file "a log"\n')
    run('check', '--feature', 'list')
    assert 'Running on' in (folder / 'a log').read_text()

    (folder / 'other.conf').write_text('log-file other.log\nverbosity 1')
    run('check', '--feature', 'list', env={'CRIU_CONFIG_FILE': str(folder / 'other.conf')})
    assert (folder / 'other.log').read_text() == ''
    run('check', '--feature', 'list', '--config=other.conf', '-v4')
    assert 'Running on' in (folder / 'other.log').read_text()

    (folder / 'bad.conf').write_text('\nlog-file a b\n')
    done = run('check', '--config', 'bad.conf', '--no-default-config')
    assert done.returncode == 1 and 'bad.conf:2: Unsupported configuration file format' in done.stderr
    (folder / 'bad.conf').write_text('nonsense\n')
    done = run('check', '--config', 'bad.conf')
    assert done.returncode == 1 and USAGE in done.stdout and "unrecognized option '--nonsense'" in done.stderr


def snapshot():
    """What an experiment of check could leave behind."""
    children = {pid for pid in os.listdir('/proc') if pid.isdigit() and f'PPid:\t{os.getpid()}\n' in read_status(pid)}
    return Path('/proc/self/mountinfo').read_text(), children, sorted(os.listdir('/sys/class/net'))


def read_status(pid):
    """/proc/PID/status, or nothing if the task is gone."""
    try:
        return Path(f'/proc/{pid}/status').read_text()
    except OSError:
        return ''


def test_check(run):
    """The closing words, the exit codes, and nothing left over."""
    before = snapshot()
    done = run('check')
    assert (done.returncode, done.stdout.strip()) in ((0, 'Looks good.'), (1, '')), done
    if done.returncode:
        assert 'Does not look good.' in done.stderr and 'Error (' in done.stderr
    missing = [name for name in FEATURES if run('check', '--feature', name).returncode]
    for option in ('--extra', '--experimental', '--all'):
        done = run('check', option)
        if done.stdout.startswith('Looks good but some kernel features are missing'):
            assert done.returncode == 1 and done.stdout.count('\n') == 3
            warned = re.findall(r'Warn .*?: (\S+): missing', done.stderr)
            assert warned and not [name for name in warned if name in FEATURES and name not in missing]
        else:
            assert (done.returncode, done.stdout) == (0, 'Looks good.\n')
    assert snapshot() == before


def test_check_features(run):
    """All names of CRIU 4.2 are known; each is there, or one warning says what it would be good for."""
    listed = run('check', '--feature', 'list')
    assert listed.returncode == 0
    assert set(FEATURES) <= set(listed.stdout.split())
    for name in listed.stdout.split():
        done = run('check', '--feature', name)
        if done.returncode == 0:
            assert done.stdout == f'{name} is supported\n'
        else:
            assert done.stdout == '' and f': {name}: ' in done.stderr and 'Warn ' in done.stderr
    done = run('check', '--feature', 'nonsense', '--feature', 'mnt_id')
    assert (done.returncode, done.stdout) == (0, 'mnt_id is supported\n')


@pytest.mark.skipif(not Path('/proc/config.gz').exists(), reason='the kernel does not tell its configuration')
@pytest.mark.parametrize('feature, config', [
    ('mem_dirty_track', 'CONFIG_(?:PTE_MARKER_UFFD_WP|MEM_SOFT_DIRTY)'), ('net_diag_raw', 'CONFIG_INET_RAW_DIAG'), ('uffd', 'CONFIG_USERFAULTFD'),
    ('timens', 'CONFIG_TIME_NS'), ('userns', 'CONFIG_USER_NS'), ('tun', 'CONFIG_TUN'), ('nftables', 'CONFIG_NF_TABLES'),
    ('seccomp_filters', 'CONFIG_SECCOMP_FILTER'), ('autofs', 'CONFIG_AUTOFS_FS'),
])
def test_check_tells_the_truth(run, feature, config):
    """The experiment finds what the kernel was built with."""
    import gzip
    text = gzip.open('/proc/config.gz', 'rt').read()
    built_in = bool(re.search(f'^{config}=y$', text, re.M))
    if re.search(f'^{config}=m$', text, re.M):
        pytest.skip('a module: it may be there or not')
    assert (run('check', '--feature', feature).returncode == 0) == built_in


def test_check_on_a_busy_machine(criu):
    """What cannot be tried because something has run out is not called missing."""
    done = subprocess.run(['sh', '-c', f'ulimit -n 5; exec {criu} check'], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert 'kcmp: could not be tried now: Too many open files' in done.stderr and 'missing' not in done.stderr


@pytest.mark.parametrize('feature, script, said', [
    # No devpts is mounted, which says nothing of the kernel.
    ('pty', 'mount -t tmpfs none /dev && exec "$@"', 'pty is supported'),
    ('tun', 'mount -t tmpfs none /dev && exec "$@"', 'tun: missing \\(No such device\\)'),
    # In a chroot(2) nobody can make a user namespace.
    ('userns', 'mkdir root && mount --rbind / root && exec chroot root "$@"', 'userns: missing \\(Operation not permitted\\)'),
])
def test_check_blames_the_right_one(room, criu, folder, feature, script, said):
    """A kernel is only said to lack what it lacks, not what this machine has not set up."""
    done = room.run('unshare', '-m', '--propagation', 'private', 'sh', '-c', script, 'sh', criu, 'check', '--feature', feature, cwd=folder)
    assert re.search(said, done.stdout) and 'does not have it' not in done.stdout, done.stdout


def test_check_at_the_last_pid(room, criu):
    """The number of a process to be made is looked for in all numbers that there are."""
    script = f'echo 32768 >/proc/sys/kernel/pid_max && echo 32700 >/proc/sys/kernel/ns_last_pid && {criu} check --feature clone3_set_tid'
    host = Path('/proc/sys/kernel/pid_max').read_text()
    if tuple(map(int, os.uname().release.split('.')[:2])) < (6, 14):
        pytest.skip('pid namespaces have no pid_max of their own before Linux 6.14')
    done = room.run('sh', '-c', script)
    assert done.returncode == 0, done.stdout
    assert Path('/proc/sys/kernel/pid_max').read_text() == host


def test_cpuinfo(run, folder):
    """Written, compared, and refused where it does not fit."""
    assert run('cpuinfo', 'dump').returncode == 0
    for cap in ('', '=fpu', '=ins', '=cpu', '=all', '=none', '=^fpu'):
        done = run('cpuinfo', 'check', f'--cpu-cap{cap}')
        assert (done.returncode, done.stdout, done.stderr) == (0, '', ''), cap
    image = folder / 'cpuinfo.img'
    image.write_bytes(image.read_bytes()[:-1])
    done = run('cpuinfo', 'check')
    assert done.returncode != 0 and 'cpuinfo.img' in done.stderr


# There is no process 4194304: nobody is dumped.
@pytest.mark.parametrize('words, text', [
    ('dump', 'pid is not given'),
    ('restore --restore-sibling', '--restore-detached'),
    ('dump -t 4194304 --mntns-compat-mode', 'only for restore'),
    ('restore --track-mem -S', '--restore-detached'),
    ('dump -t 4194304 --stream --prev-images-dir ..', 'no parent images'),
])
def test_options_that_do_not_fit(run, words, text):
    """Refused before anything is done, with one line."""
    done = run(*words.split())
    assert done.returncode == 1
    assert text in done.stderr
    assert done.stderr.count('Error (') == 1
