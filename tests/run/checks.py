# SPDX-License-Identifier: GPL-2.0-only
"""What /proc says about a tree, in a form that can be compared: before the dump and after the restore.

A snapshot is {pid: {fact: value}}. Numbers that the kernel makes up anew (inodes of pipes and sockets) are replaced by the
order in which they appear, so that "these two are the same pipe" is compared, not its number. SUBJECT(.ignore = "FACT ...")
leaves facts out.
"""
import os
import re

STATUS_FACTS = ('Name', 'Umask', 'Tgid', 'PPid', 'NSpid', 'NSpgid', 'NSsid', 'Uid', 'Gid', 'Groups', 'Threads',
                'SigPnd', 'ShdPnd', 'SigBlk', 'SigIgn', 'SigCgt', 'CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb',
                'NoNewPrivs', 'Seccomp', 'Seccomp_filters', 'THP_enabled', 'Cpus_allowed', 'CoreDumping', 'VmLck')
FILES = ('cmdline', 'environ', 'limits', 'personality', 'oom_score_adj', 'loginuid', 'auxv', 'timers', 'cgroup')
THREAD_FILES = ('comm',)
STAT_FIELDS = {'tty': 6, 'exit_signal': 37, 'priority': 17, 'nice': 18, 'rt_priority': 39, 'policy': 40}
# Set by the kernel as pages come and go; not what the task asked for. sd: soft-dirty, which starts anew. um, uw: lazy restore.
VOLATILE_VMFLAGS = {'sd', 'ac'}
MADE_UP = re.compile(r'\b(pipe|socket|anon_inode|mnt|net|pid|user|uts|ipc|cgroup|time):\[?(\d+)')


class Inner:
    """The numbers that processes and threads see themselves, in pid namespaces within the room; by the number that the room sees."""

    def __init__(self, proc, pids):
        self.known = {}
        for pid in pids:
            for status in (proc / str(pid) / 'task').glob('*/status'):
                for line in (read(status) or '').splitlines():
                    if line.startswith('NSpid:'):
                        self.known[status.parent.name] = line.split()[-1]

    def __call__(self, number):
        """The inner number; one that is unknown, as that of the room's first process, stays."""
        return self.known.get(str(number), str(number))


class Numbering:
    """Replaces numbers that the kernel makes up by 1, 2, 3 in the order of their first appearance."""

    def __init__(self):
        self.seen = {}

    def name(self, kind, number):
        """A stable name of a number of this kind."""
        known = self.seen.setdefault(kind, {})
        return f'#{known.setdefault(number, len(known) + 1)}'

    def text(self, text):
        """The text with all such numbers replaced."""
        return MADE_UP.sub(lambda m: f'{m[1]}:{self.name(m[1], m[2])}', text)


def read(path):
    """A file's text, or None if it cannot be read (as with a zombie's)."""
    try:
        with open(path, 'rb') as file:
            return file.read().decode(errors='backslashreplace')
    except OSError:
        return None


def link(path):
    """Where a link points to, or None."""
    try:
        return os.readlink(path)
    except OSError:
        return None


def status_facts(text, inner=str):
    """The lines of status that must not change, and the state: stopped, zombie or neither."""
    facts = {}
    for line in text.splitlines():
        key, _, value = line.partition(':')
        if key in STATUS_FACTS:
            facts[key] = ' '.join(value.split())
            if key in ('Tgid', 'PPid'):
                facts[key] = inner(facts[key])
            elif key in ('NSpid', 'NSpgid', 'NSsid'):
                facts[key] = value.split()[-1]
        elif key == 'State':
            facts['state'] = value.strip()[0] if value.strip()[0] in 'TtZX' else 'alive'
    return facts


def stat_facts(text):
    """The fields of stat that must not change; the name may contain anything, so count from its end."""
    fields = text[text.rindex(')') + 2:].split()
    return {name: fields[number - 2] if number - 2 < len(fields) else None for name, number in STAT_FIELDS.items()}


def smaps_areas(text, numbers):
    """The areas with what the task asked for; neighbours that the kernel could have merged are merged."""
    areas = []
    for line in text.splitlines():
        head = re.match(r'([0-9a-f]+)-([0-9a-f]+) (\S+) ([0-9a-f]+) (\S+) (\d+)\s*(.*)', line)
        if head:
            start, end, access, offset, _, inode, name = head.groups()
            offset = int(offset, 16)
            shared = access[3] == 's'
            if name == '[heap]':
                name = ''       # depends on where brk is, compared elsewhere
            if inode != '0' and (shared or name.startswith('socket:')):
                inode = numbers.name('shared', (inode, name))
                name = re.sub(r'^socket:.*', 'socket', name)        # the inode number again
            elif inode != '0':
                inode = 'file'
            elif not shared:
                offset = 0
            areas.append({'start': int(start, 16), 'end': int(end, 16), 'what': (access, inode, name), 'offset': offset})
        elif line.startswith('VmFlags:'):
            areas[-1]['what'] += (tuple(sorted(set(line.split()[1:]) - VOLATILE_VMFLAGS)),)
    merged = []
    for area in areas:
        last = merged[-1] if merged else None
        if last and last['end'] == area['start'] and last['what'] == area['what'] and (
                area['what'][1] == '0' or last['offset'] + last['end'] - last['start'] == area['offset']):
            last['end'] = area['end']
        else:
            merged.append(area)
    # A page of the kernel's that 32-bit programs do not see; who began as a 64-bit one keeps it.
    return [(f"{a['start']:x}-{a['end']:x}", *a['what'], hex(a['offset'])) for a in merged if a['what'][2] != '[vsyscall]']


POLLING = ('SqThread:', 'SqThreadCpu:', 'SqTotalTime:', 'SqWorkTime:')      # a thread that looks whether there is work


def descriptor_lines(info, numbers, inner=str):
    """What fdinfo says, without what the kernel makes up, passes with time or lists in the order of its addresses."""
    lines = [re.sub(r'\s+', ' ', line) for line in info.splitlines() if not line.startswith(('mnt_id:', 'ino:', 'scm_fds:', *POLLING))]
    lines = [re.sub(r'^(tfd:.*?) pos:.*', r'\1', line) for line in lines]
    lines = [re.sub(r'^it_value: \((\d+), \d+\)', 'it_value', line) for line in lines if not line.startswith('ticks:')]
    lines = [re.sub(r'^Pid: (\d+)', lambda m: f'Pid: {inner(m[1])}', re.sub(r'^NSpid:.* (\d+)$', r'NSpid: \1', line)) for line in lines]
    lines = [re.sub(r'^(lock: .*? (?:READ|WRITE|UNLCK) )(\d+)', lambda m: m[1] + inner(m[2]), line) for line in lines]
    lines = [re.sub(r'^(lock: .* )(00:[0-9a-f]+):', lambda m: f"{m[1]}{numbers.name('device', m[2])}:", line) for line in lines]
    lines = [re.sub(r'^(eventfd-id|map_id|fuse_connection): (\d+)', lambda m: f'{m[1]}: {numbers.name(m[1], m[2])}', line) for line in lines]
    watches = ('tfd:', 'inotify ', 'fanotify ')
    return [line for line in lines if not line.startswith(watches)] + sorted(line for line in lines if line.startswith(watches))


def descriptors(task, numbers, inner=str):
    """Every descriptor: what it is, and what fdinfo says about it."""
    table = {}
    try:
        names = sorted(map(int, os.listdir(task / 'fd')))
    except OSError:
        return None
    for number in names:
        info = read(task / 'fdinfo' / str(number)) or ''
        target = link(task / 'fd' / str(number)) or '?'
        # A name that another file has by now, or that there never was, cannot be had again.
        target = re.sub(r'(\.ghost-\w+-\d+|#\d+) \(deleted\)$', ' (deleted)', target)
        table[number] = (numbers.text(target), '; '.join(descriptor_lines(info, numbers, inner)))
    return table


def thread_facts(path, inner=str):
    """What is private to one thread."""
    facts = status_facts(read(path / 'status') or '', inner)
    for gone in ('Threads', 'Umask', 'ShdPnd', 'SigIgn', 'SigCgt', 'VmLck'):
        facts.pop(gone, None)
    facts.update({name: read(path / name) for name in THREAD_FILES})
    stat = read(path / 'stat')
    if stat:
        facts.update(stat_facts(stat))
    return facts


def task_snapshot(task, numbers, inner=str):
    """All facts about one process."""
    facts = status_facts(read(task / 'status') or '', inner)
    stat = read(task / 'stat')
    if stat:
        facts.update(stat_facts(stat))
    if facts.get('state') == 'Z':
        facts['exit_code'] = stat and stat.split()[-1]
        for gone in ('Threads', 'SigPnd', 'ShdPnd', 'SigBlk', 'SigIgn', 'SigCgt', 'Cpus_allowed', 'priority', 'nice',
                     'THP_enabled', 'Umask', 'Seccomp', 'Seccomp_filters', 'NoNewPrivs', 'rt_priority', 'policy', 'tty',
                     *(name for name in facts if name.startswith('Cap'))):
            facts.pop(gone, None)
        return facts
    facts.update({name: read(task / name) for name in FILES})
    facts.update({name: link(task / name) for name in ('cwd', 'root', 'exe')})
    facts['timers'] = re.sub(r'(tid|pid)\.(\d+)', lambda m: f'{m[1]}.{inner(m[2])}', facts['timers'] or '')
    facts['children'] = sorted(map(inner, (read(task / 'task' / task.name / 'children') or '').split()), key=int)
    facts['areas'] = smaps_areas(read(task / 'smaps') or '', numbers)
    facts['fd'] = descriptors(task, numbers, inner)
    facts['threads'] = {inner(tid): thread_facts(task / 'task' / tid, inner) for tid in sorted(os.listdir(task / 'task'), key=int)
                        if not (read(task / 'task' / tid / 'comm') or '').startswith('iou-')}     # the kernel's, for io_uring
    return facts


def snapshot(room):
    """All facts about all processes of a room but its first."""
    numbers, found = Numbering(), {}
    pids = room.pids()
    inner = Inner(room.proc, pids)
    for pid in pids:
        try:
            found[inner(pid)] = task_snapshot(room.proc / str(pid), numbers, inner)
        except (FileNotFoundError, ProcessLookupError):
            pass        # one that was about to end
    return found


def differences(before, after, path='', ignore=()):
    """What differs, as readable lines."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key in sorted(before.keys() | after.keys(), key=str):
            if key in ignore:
                continue
            where = f'{path}/{key}'
            if key not in before:
                yield f'{where}: new: {after[key]!r:.300}'
            elif key not in after:
                yield f'{where}: gone: {before[key]!r:.300}'
            else:
                yield from differences(before[key], after[key], where, ignore)
    elif isinstance(before, list) and isinstance(after, list) and before != after:
        for line in before:
            if line not in after:
                yield f'{path}: gone: {line}'
        for line in after:
            if line not in before:
                yield f'{path}: new: {line}'
        if sorted(map(str, before)) == sorted(map(str, after)):
            yield f'{path}: in another order: {before} -> {after}'
    elif before != after:
        yield f'{path}: {before!r:.300} -> {after!r:.300}'


def listing(folder):
    """All files below a folder with their kinds."""
    return sorted((str(path.relative_to(folder)), os.lstat(path).st_mode >> 12) for path in folder.rglob('*'))
