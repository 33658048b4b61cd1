# SPDX-License-Identifier: GPL-2.0-only
"""dump --equal-pages: what several tasks share copy-on-write is in the images once, in all forms of images."""
import json
import shutil
import subprocess

import pytest


def size_of(images):
    """Bytes of all pages images."""
    return sum(path.stat().st_size for path in images.glob('pages-*.img'))


def decode(build, image):
    """The records of an image."""
    return json.loads(subprocess.run([build / 'crit', 'decode', '-i', image], check=True, capture_output=True, text=True).stdout)['entries']


def dump_plainly(run, *options):
    """Without the option of the subject; the tasks run on."""
    images = run.folder_of_images()
    run.call_in_room(run.criu, 'dump', '-t', run.pid, '-D', images, '--leave-running', *options)
    return images


def test_options(criu, folder):
    """What does not go with it is refused."""
    for options in (('--stream',), ('--stream=1',), ('--page-server', '--address', '127.0.0.1', '--port', '9'), ('--lazy-pages',)):
        done = subprocess.run([criu, 'dump', '-t', '1', '-D', folder, '--equal-pages', *options], capture_output=True, text=True, timeout=40, check=False)
        assert done.returncode == 1 and '--equal-pages and' in done.stderr, done.stderr


def test_once(subject, build):
    """Four tasks have less than two times the pages of one; images say that CRIU cannot read them, and without the option that it can."""
    run = subject('memory/equal-pages')
    plain = dump_plainly(run)
    images = run.dump('--leave-running')
    assert size_of(images) < size_of(plain) * 0.7, (size_of(images), size_of(plain))
    assert [decode(build, part / 'inventory.img')[0]['img_version'] for part in (plain, images)] == [2, 3]
    named = [entry for path in images.glob('pagemap-*.img') for entry in decode(build, path)[1:] if 'pages_id' in entry]
    assert named and not any(entry['flags'] & 4 for entry in named), named
    assert not any('pages_id' in entry for path in plain.glob('pagemap-*.img') for entry in decode(build, path)[1:])
    run.kill()
    run.verify(images)
    run.restore(images)
    run.release()


@pytest.mark.parametrize('form', ['--compress', '--checksum', '--live'])
def test_forms(subject, form):
    """Compressed, with checksums, and of tasks that run on meanwhile: it is saved once as well."""
    run = subject('memory/equal-pages')
    plain = dump_plainly(run, form)
    images = run.dump('--leave-running', form)
    assert size_of(images) < size_of(plain) * 0.7, (size_of(images), size_of(plain))
    run.kill()
    run.verify(images)
    run.restore(images)
    run.release()


@pytest.mark.parametrize('how', ['--on-demand', '--auto-dedup'])
def test_restores(subject, how):
    """Each task gets its pages from whosever file they are in, also when they come late, or when the files are freed."""
    run = subject('memory/copy-on-write')
    images = run.dump('--equal-pages')
    run.restore(images, how)
    if how == '--auto-dedup':
        assert sum(path.stat().st_blocks for path in images.glob('pages-*.img')) == 0
        run.release()


def test_missing(subject, criu):
    """Without the file that a pagemap names, or with a shorter one, nothing is restored, and the reason is told."""
    run = subject('memory/equal-pages')
    images = run.dump()
    for name, damage in (('gone', lambda path: path.unlink()), ('cut', lambda path: path.write_bytes(path.read_bytes()[:8192]))):
        copy = run.folder / name
        shutil.copytree(images, copy)
        damage(copy / 'pages-1.img')
        done = run.room.run(criu, 'restore', '-d', '-D', copy)
        assert done.returncode == 1 and 'pages-1.img' in done.stdout, done.stdout
    run.restore(images)
    run.release()


def test_never_freed(subject, criu):
    """What others may need is not freed in parent images."""
    run = subject('memory/equal-pages')
    parent = run.pre_dump()
    before = [path.stat().st_blocks for path in sorted(parent.glob('pages-*.img'))]
    images = run.dump('--prev-images-dir', f'../{parent.name}')
    done = run.room.run(criu, 'dedup', '-D', images)
    assert done.returncode == 1 and '--equal-pages' in done.stdout, done.stdout
    assert [path.stat().st_blocks for path in sorted(parent.glob('pages-*.img'))] == before
    run.restore(images)
    run.release()
