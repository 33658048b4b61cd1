# SPDX-License-Identifier: GPL-2.0-only
"""The ways a subject is taken through a checkpoint. Each is a function of a Run that has started; the name is the way's name."""
import re
import subprocess
from pathlib import Path

from room import wait_until
from rpc import start_swrk


def untouched(run):
    """No checkpoint at all: proves that the subject is right by itself, and that the comparison is quiet."""
    run.compare('while it waits')


def unharmed(run):
    """A dump that leaves it running must not be felt. If a refusal is expected, that must not be felt either."""
    refused = run.subject.about['refused']
    if refused:
        for said in (*run.check_refused(), run.dump_refused()):
            assert re.search(refused, said), f'refused, but not because of "{refused}": {said}'
    else:
        run.dump('--leave-running')
    run.compare('after the dump')


def plain(run):
    """Dump kills it, restore brings it back."""
    images = run.dump()
    run.await_gone()
    run.restore(images)
    run.compare('after the restore')


def left(run):
    """Dump leaves it running; later it is killed and restored."""
    images = run.dump('--leave-running')
    run.kill()
    run.restore(images)
    run.compare('after the restore')


def twice(run):
    """What was restored can be dumped and restored again."""
    for number in ('first', 'second'):
        images = run.dump()
        run.await_gone()
        run.restore(images)
        run.compare(f'after the {number} restore')


def predumped(run, before_restore=lambda: None):
    """Its memory is saved twice while it runs, and the dump leaves out what has not changed since."""
    first = run.pre_dump()
    second = run.pre_dump('--prev-images-dir', f'../{first.name}')
    images = run.dump('--track-mem', '--prev-images-dir', f'../{second.name}')
    run.await_gone()
    before_restore()
    run.verify(images)
    run.restore(images)
    run.compare('after the restore')


def preload(criu, folder, soft_dirty=True, calls=False):
    """
    The environment in which criu finds an older kernel (tests/subject/older-kernel.c), with soft-dirty bits or without. With
    calls it and all that it makes have a filter, too (older-calls.c): such a criu cannot suspend those of others.
    """
    names = ['older-kernel'] + ['soft-dirty'] * soft_dirty
    notes = Path(folder) / 'soft-dirty'
    notes.mkdir(exist_ok=True)
    return {'LD_PRELOAD': ' '.join(str(Path(criu).parent / f'tests/subjects/lib{name}.so') for name in names),
            'ASAN_OPTIONS': 'verify_asan_link_order=0', **({'OLDER_CALLS': '1'} if calls else {}), **({'SOFT_DIRTY': str(notes)} if soft_dirty else {})}


def older(run):
    """
    As predumped, by a criu that finds a kernel as old as the oldest it promises to work on, from preload. What it restores
    inherits the filter that makes it so. What such a kernel cannot restore is restored by a criu that finds this one.
    """
    def change_kernel():
        run.env = {} if run.subject.plain_name in NEWER else run.env

    run.env = preload(run.criu, run.folder, calls=run.subject.plain_name not in UNFILTERED)
    run.ignore = ('Seccomp', 'Seccomp_filters')
    predumped(run, change_kernel)


def rpc(run):
    """As plain, by requests to a worker. Paths instead of descriptors: we are outside of the room."""
    images = run.folder_of_images()
    for kind, opts in (('DUMP', {'pid': run.pid}), ('RESTORE', {})):
        with start_swrk(run.criu, room=run.room) as client:
            reply = client.call(kind, {'images_dir': str(images), 'log_level': 4, 'notify_scripts': True, **opts})
        assert reply and reply['success'], f'{kind}: {reply}'
        assert len(client.told) >= 3, client.told
        if kind == 'DUMP':
            run.await_gone()
        elif 'pid' in run.house.split(','):
            run.pid = reply['restore']['pid']
    run.compare('after the restore')


def remote(run):
    """As plain, but the memory travels: to a page server, which lays it beside the other images."""
    images = run.folder_of_images()
    run.call_in_room(run.criu, 'page-server', '-D', images, '-d', '--pidfile', 'server.pid', '--address', '127.0.0.1', '--port', 27000,
                     '-v4', '-o', 'server.log')
    server = int((images / 'server.pid').read_text())
    status, said = run.call_criu('dump', images, '-t', run.pid, '--page-server', '--address', '127.0.0.1', '--port', 27000)
    assert status == 0, f'dump failed with status {status}: {said}'
    wait_until(lambda: server not in run.room.pids(), 20, 'the page server does not end')
    assert not list(images.glob('pages-1.img')), 'pages were written here'
    run.await_gone()
    run.restore(images)
    run.compare('after the restore')


def lazy(run):
    """As plain, but the memory follows when the tasks run already; they go on at once."""
    images = run.dump()
    run.await_gone()
    run.call_in_room(run.criu, 'lazy-pages', '-D', images, '-d', '--pidfile', 'lazy.pid', '-v4', '-o', 'lazy.log')
    daemon = int((images / 'lazy.pid').read_text())
    run.restore(images, '--lazy-pages')
    run.let_go()
    wait_until(lambda: daemon not in run.room.pids(), 40, 'the daemon does not end')
    said = (images / 'lazy.log').read_text(errors='replace')
    assert 'All tasks have their memory' in said and 'Error (' not in said, said
    assert not (images / 'lazy-pages.socket').exists()


def on_demand(run):
    """As lazy, but by one command, which leaves a process behind that brings the memory and then ends."""
    images = run.dump()
    run.await_gone()
    run.restore(images, '--on-demand')
    run.let_go()
    said = lambda: (images / 'restore.log').read_text(errors='replace')
    wait_until(lambda: 'All tasks have their memory' in said(), 40, lambda: f'the memory does not come: {said()}')
    assert 'Error (' not in said(), said()
    wait_until(lambda: not named(run.room, 'criu-on-demand'), 20, 'processes of criu are left')


def live(run):
    """As left, but the tasks run on while their memory is copied."""
    images = run.dump('--leave-running', '--live')
    assert not named(run.room, 'criu') + named(run.room, 'criu-guard'), 'processes of criu are left'
    run.kill()
    run.restore(images)


def named(room, name):
    """The processes of the room, but those that are dead, that have this name."""
    found = []
    for pid in room.pids():
        try:
            if (room.proc / str(pid) / 'comm').read_text().strip() == name and ') Z ' not in (room.proc / str(pid) / 'stat').read_text():
                found.append(pid)
        except (FileNotFoundError, ProcessLookupError):
            pass
    return found


def compressed(run):
    """As predumped, all of it compressed and the last dump encrypted."""
    key, certificate = run.folder / 'key.pem', run.folder / 'certificate.pem'
    subprocess.run(['openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '7', '-subj', '/CN=criu', '-keyout', key, '-out', certificate],
                   check=True, capture_output=True)
    first = run.pre_dump('--compress')
    images = run.dump('--track-mem', '--prev-images-dir', f'../{first.name}', '--compress=lz4', '--encrypt-to', certificate)
    run.await_gone()
    run.verify(images, '--decrypt-with', key)
    run.restore(images, '--decrypt-with', key)
    run.compare('after the restore')


def streamed(run):
    """As predumped, each through one stream of bytes; those of the pre-dumps are unpacked elsewhere, the last is restored from."""
    stream, before = run.folder / 'stream', ()
    for _ in range(2):
        here, there = run.folder_of_images(), run.folder_of_images()
        for command, images, options in (('pre-dump', here, ('-t', run.pid, *before[:2])), ('receive', there, before[2:])):
            status, said = run.call_criu(command, images, *options, stream=stream)
            assert status == 0, f'{command} failed with status {status}: {said}'
        assert not list(here.glob('pages-*.img')), 'pages were written here'
        before = ('--prev-images-dir', f'../{here.name}', '--prev-images-dir', f'../{there.name}')
    images = run.folder_of_images()
    status, said = run.call_criu('dump', images, '-t', run.pid, *before[:2], stream=stream)
    assert status == 0, f'dump failed with status {status}: {said}'
    assert not list(images.glob('inventory.img')), 'images were written here'
    run.await_gone()
    run.restore(images, *before[2:], stream=stream)
    run.compare('after the restore')


def told(run):
    """criu check --tree finds nothing in the way, criu verify finds the images whole, crit brings all of them back byte by byte."""
    run.check_tree()
    run.compare('after the check')
    images = run.dump()
    run.await_gone()
    run.verify(images)
    run.decode_and_encode(images)
    run.restore(images)


# They have filters of their own, or memory that an older kernel cannot make.
NEWER = ('memory/guards', 'memory/area-settings', 'memory/droppable', 'memory/memfd-exec-seal')
UNFILTERED = ('thread/many', 'seccomp/filter', *NEWER)

# The way of asking changes little: a few subjects without options will do. How memory travels matters to those that have some.
MEMORY = re.compile('memory/|tree/family|thread/several')
SAMPLES = {'rpc': ('file/pipe', 'memory/anonymous', 'thread/several', 'tree/family', 'socket/unix-pair', 'socket/unix-early',
                   'socket/unix-rights-kinds', 'file/pty', 'file/pty-session'),
           'remote': MEMORY, 'lazy': MEMORY, 'live': MEMORY, 'on_demand': MEMORY,
           'older': re.compile('memory/|tree/(family|among-many|settings-among-many|sessions)|thread/(several|many|settings-among-many)|timer/posix|task/membarrier-private|signal/pending|sched/policies|creds/ids'
                               '|file/(pidfd|userfaultfd|timerfd|eventfd|inotify|fanotify|pty|mqueue|deleted|locks|epoll|pipe)$|net/(devices|addresses)|seccomp/filter$'
                               '|socket/(unix-(pair|rights|names)|tcp-(backlog|queues)|packet-ring|udp)$|namespace/(pid-nested|time|ipc-several|uts|user-inner|cgroup)$'
                               '|mount/(sharing|overlay|detached|binds|tmpfs)$'),
           'compressed': re.compile('memory/|tree/family|file/(deleted|pipe|memfd|regular)|socket/(unix-names|packet-ring|tcp-queues|tcp-backlog$)|namespace/ipc|mount/tmpfs'),
           'streamed': re.compile('memory/|tree/|file/(deleted|pipe|memfd|regular|aio)|thread/several|namespace/ipc|mount/tmpfs|socket/(unix-pair|tcp-backlog$)'),
           'predumped': re.compile('memory/|tree/|thread/|signal/|file/(aio|userfaultfd|memfd|io-uring(-busy|-buffers)?$)')}


# 32-bit programs: what differs is what a thread is.
IA32_WAYS = ('untouched', 'unharmed', 'plain', 'twice', 'live', 'told')


def is_sample(way, subject):
    """Is the subject one for this way?"""
    wanted, name = SAMPLES.get(way), subject.plain_name
    if subject.is_ia32 and way not in IA32_WAYS:
        return False
    return wanted is None or (name in wanted if isinstance(wanted, tuple) else bool(wanted.match(name)))


# Subjects that are run in houses as well: in namespaces of their own, while criu stays outside. tests/run/one NAME --house pid runs any.
HOUSES = {'mnt': (('plain', 'twice'), re.compile('file/(deleted|linked-elsewhere|temporary|inotify|inotify-deleted|fanotify|fifo|devices|pty|mqueue|path-only|proc)$|socket/unix-names'
                                                 '|memory/file-shared')),
          'pid': (('plain', 'twice'), re.compile('tree/|thread/several|file/(pidfd$|pidfd-thread|async|locks|pty-session$|pty-stopped|epoll$|memfd)'
                                                 '|signal/(pending|actions)|timer/(posix|pending)|creds/|socket/unix-(credentials|rights|names|early)$'
                                                 '|seccomp/threads|sched/threads|memory/shared|namespace/pid-nested$')),
          'ipc': (('plain', 'twice', 'predumped'), re.compile('memory/sysv(-parts)?$')),
          'net': (('plain', 'twice', 'told'), re.compile('socket/|file/tun')),
          'user': (('plain', 'twice'), re.compile('tree/(family|sessions|zombie)|thread/(several|many)|file/(pipe|deleted|memfd|async|fifo)$|socket/unix-(credentials|names)$'
                                                  '|creds/|signal/pending|timer/posix')),
          'user,pid,mnt,net,ipc,uts,cgroup': (('plain', 'twice'), re.compile('tree/(family|sessions)|thread/several|creds/|file/(deleted|regular|pty|proc|inotify)$'
                                                                             '|socket/unix-(credentials|names|rights)$|namespace/(ipc|uts|user-(inner|deep))|mount/(binds|covered|sharing)|net/(?!sockets)')),
          'pid,mnt': (('plain', 'told'), re.compile('tree/family|namespace/pid-nested-proc|file/(pipe|regular|pidfd-odd)$|signal/(waiting|suspended)|thread/rseq-section'
                                                    '|memory/file-private'))}
WAYS = {way.__name__: way for way in (untouched, unharmed, plain, left, twice, predumped, older, compressed, streamed, rpc, remote, lazy, on_demand, live, told)}
