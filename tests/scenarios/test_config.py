# SPDX-License-Identifier: GPL-2.0-only
"""Config files: which are read, which wins, what their lines mean, what is said of wrong ones."""
import os
import subprocess

import pytest
import rpc


@pytest.fixture
def run(criu, folder):
    """run(words, etc=..., home=..., variable=...) runs criu with these config files; returns what it said and the log it wrote."""
    def run_criu(words, etc=None, home=None, variable=None, **files):
        env = {'PATH': os.environ['PATH'], 'LC_ALL': 'C', 'HOME': str(folder / 'home')}
        (folder / 'etc/criu').mkdir(parents=True, exist_ok=True)
        (folder / 'home/.criu').mkdir(parents=True, exist_ok=True)
        (folder / 'work').mkdir(exist_ok=True)
        for path, text in (('etc/criu/default.conf', etc), ('home/.criu/default.conf', home), ('variable.conf', variable),
                           *((f'{name}.conf', text) for name, text in files.items())):
            (folder / path).unlink(missing_ok=True)
            if text is not None:
                (folder / path).write_text(text)
        if variable is not None:
            env['CRIU_CONFIG_FILE'] = str(folder / 'variable.conf')
        for log in (folder / 'work').iterdir():
            log.unlink()
        # An /etc of our own, in a mount namespace of our own.
        done = subprocess.run(['unshare', '--mount', 'sh', '-c', 'mount --bind "$0" /etc && exec "$@"', folder / 'etc',
                               criu, 'check', '--feature', 'list', '-W', folder / 'work', *words],
                              cwd=folder, env=env, capture_output=True, text=True, timeout=120, check=False)
        return done, [path.name for path in (folder / 'work').iterdir()]
    return run_criu


ETC, HOME, VARIABLE, CHOSEN = 'log-file etc', 'log-file home', 'log-file variable', 'log-file chosen'


@pytest.mark.parametrize('words, files, log', [
    ([], {}, None),
    ([], {'etc': ETC}, 'etc'),
    ([], {'home': HOME}, 'home'),
    ([], {'etc': ETC, 'home': HOME}, 'home'),
    ([], {'etc': ETC, 'home': HOME, 'variable': VARIABLE}, 'variable'),
    (['--config', 'chosen.conf'], {'etc': ETC, 'home': HOME, 'variable': VARIABLE, 'chosen': CHOSEN}, 'chosen'),
    (['--config=chosen.conf'], {'variable': VARIABLE, 'chosen': CHOSEN}, 'chosen'),
    (['--config', 'chosen.conf', '-o', 'line'], {'variable': VARIABLE, 'chosen': CHOSEN}, 'line'),
    (['-o', 'line', '--config', 'chosen.conf'], {'variable': VARIABLE, 'chosen': CHOSEN}, 'line'),
    (['--no-default-config'], {'etc': ETC, 'home': HOME}, None),
    (['--no-default-config'], {'etc': ETC, 'home': HOME, 'variable': VARIABLE}, 'variable'),
    (['--config', 'chosen.conf'], {'etc': ETC, 'home': HOME, 'chosen': 'timeout 3'}, None),
    (['--config', 'missing.conf'], {'etc': ETC, 'home': HOME}, None),
    (['--config', 'missing.conf'], {'etc': ETC, 'variable': VARIABLE}, 'variable'),
])
def test_order(run, words, files, log):
    """The last one that is read wins."""
    done, logs = run(words, **files)
    assert done.returncode == 0, done
    assert logs == ([log] if log else []), done


def test_all_are_read(run):
    """Files add up: what a later one does not name stays."""
    done, logs = run(['--config', 'chosen.conf'], variable='verbosity 4\nlog-file "the log"\n', chosen='shell-job\n')
    assert done.returncode == 0 and logs == ['the log']


@pytest.mark.parametrize('line, log', [
    ('log-file a', 'a'),
    ('log-file\ta', 'a'),
    ('  log-file   a   ', 'a'),
    ('log-file a # comment', 'a'),
    ('log-file a#comment', 'a'),
    ('log-file "a b"', 'a b'),
    ('log-file "a#b" # comment', 'a#b'),
    (r'log-file "a\"b"', 'a"b'),
    ('log-file a\r', 'a'),
    ('# log-file a', None),
    ('   # log-file a', None),
    ('\n\n \t \nlog-file a\n\n', 'a'),
    ('log-file a\nlog-file b', 'b'),
    ('log-fi a', 'a'),
    ('shell-job\nno-shell-job\nlog-file a', 'a'),
    ('shell-job # why not\nlog-file a', 'a'),
    ('cpu-cap\ncpu-cap ins\nlog-file a', 'a'),
])
def test_lines(run, line, log):
    """What is a value and what is not."""
    done, logs = run([], variable=line)
    assert (done.returncode, logs) == (0, [log] if log else []), done


@pytest.mark.parametrize('text, usage, words', [
    ('\nlog-file a b', False, 'variable.conf:2: Unsupported configuration file format'),
    ('log-file "a', False, 'variable.conf:1: Unsupported configuration file format'),
    ('log-file "a" b', False, 'variable.conf:1: Unsupported configuration file format'),
    ('# x\n\nnonsense', True, "variable.conf:3: unrecognized option '--nonsense'"),
    ('tcp', True, "variable.conf:1: ambiguous option '--tcp'"),
    ('-v4', True, "variable.conf:1: unrecognized option '---v4'"),
    ('dump', True, "variable.conf:1: unrecognized option '--dump'"),
    ('shell-job yes', True, "variable.conf:1: option '--shell-job' doesn't allow an argument"),
    ('timeout', True, "variable.conf:1: option '--timeout' requires an argument"),
    ('timeout 1\ntimeout soon', False, 'variable.conf:2: --timeout: invalid value "soon"'),
    ('ghost-limit ""', False, 'variable.conf:1: --ghost-limit: invalid value ""'),
])
def test_errors(run, text, usage, words):
    """File and line, the reason, exit code 1; the usage text where it helps."""
    done, logs = run([], variable=text)
    assert done.returncode == 1 and words in done.stderr, done
    assert (usage, logs) == ('Usage:' in done.stdout, []), done


def test_unreadable(run, folder):
    """A missing file is nothing, one that cannot be read is an error."""
    done, _ = run(['--config', folder])
    assert done.returncode == 1 and 'Is a directory' in done.stderr and str(folder) in done.stderr


def test_home_of_another_user(criu):
    """HOME is not always set anew when somebody becomes another user."""
    done = subprocess.run(['setpriv', '--reuid', '65534', '--clear-groups', '--inh-caps', '+sys_admin', '--ambient-caps', '+sys_admin',
                           criu, 'check', '--feature', 'list', '--unprivileged', '-W', '/tmp'], capture_output=True, text=True, check=False,
                          cwd='/', env={'HOME': '/root', 'PATH': os.environ['PATH']})
    assert (done.returncode, done.stderr) == (0, ''), done


@pytest.fixture
def sleeper(room, folder):
    """A process in the room."""
    pid = room.start(folder / 'output', 'sleep', '1000')
    (folder / 'images').mkdir()
    (folder / 'work').mkdir()
    return pid


def test_request(room, criu, folder, sleeper):
    """Of a request: files at start, then the request, then the file that it names, which wins over it, directories included."""
    (folder / 'start.conf').write_text('log-file start.log\nverbosity 1\nleave-running\n')
    (folder / 'request.conf').write_text(f'log-file request.log\nverbosity 4\nimages-dir {folder}/other\nwork-dir "{folder}/work"\n')
    (folder / 'other').mkdir()
    env = {**os.environ, 'CRIU_CONFIG_FILE': str(folder / 'start.conf')}
    opts = {'images_dir': str(folder / 'images'), 'pid': sleeper}
    for more, images, work, log in (({}, 'images', 'images', 'start.log'),
                                    ({'log_file': 'own.log'}, 'images', 'images', 'own.log'),
                                    ({'log_file': 'own.log', 'config_file': str(folder / 'request.conf')}, 'other', 'work', 'request.log'),
                                    ({'config_file': str(folder / 'missing.conf')}, 'images', 'images', 'start.log')):
        with rpc.start_swrk(criu, room=room, env=env) as client:
            reply = client.call('DUMP', {**opts, **more})
            assert reply['success'], reply
        assert (folder / images / 'inventory.img').exists() and (folder / work / log).exists()
        assert ('Running on' in (folder / work / log).read_text()) == (log == 'request.log')
        for path in [*(folder / 'images').iterdir(), *(folder / 'other').iterdir(), *(folder / 'work').iterdir()]:
            path.unlink()
        assert room.pids() == [sleeper], 'leave-running of the first file holds'


def test_request_with_options_of_the_worker(room, criu, folder, sleeper):
    """The file of swrk's own --config stands behind the request."""
    (folder / 'start.conf').write_text('log-file start.log\nleave-running\n')
    with rpc.start_swrk(criu, '--config', folder / 'start.conf', room=room) as client:
        assert client.call('DUMP', {'images_dir': str(folder / 'images'), 'pid': sleeper, 'log_file': 'own.log'})['success']
    assert (folder / 'images/own.log').exists() and not (folder / 'images/start.log').exists()
    assert room.pids() == [sleeper]


@pytest.mark.parametrize('text, words', [
    ('\nnonsense', "request.conf:2: unrecognized option '--nonsense'"),
    ('timeout soon', 'request.conf:1: --timeout: invalid value "soon"'),
    ('work-dir a b', 'request.conf:1: Unsupported configuration file format'),
])
def test_wrong_file_of_a_request(room, criu, folder, sleeper, text, words):
    """The client is told what is wrong where."""
    (folder / 'request.conf').write_text(text)
    with rpc.start_swrk(criu, room=room) as client:
        reply = client.call('DUMP', {'images_dir': str(folder / 'images'), 'pid': sleeper, 'config_file': str(folder / 'request.conf')})
    assert not reply['success'] and reply['cr_errno'] == 56 and words in reply['cr_errmsg'], reply
    assert room.pids() == [sleeper]


def test_scripts_of_a_request(room, criu, folder, sleeper):
    """The client is told first, then the scripts of config files run, the last one first."""
    said = folder / 'said'
    for name in ('one', 'two'):
        (folder / name).write_text(f'#!/bin/sh\necho {name} $CRTOOLS_SCRIPT_ACTION $CRTOOLS_INIT_PID >> {said}\n')
        (folder / name).chmod(0o755)
    def answer(script):
        with open(said, 'a', encoding='utf-8') as file:
            file.write(f'client {script}\n')
        return {}

    (folder / 'request.conf').write_text(f'action-script {folder}/one\naction-script "{folder}/two"\n')
    opts = {'images_dir': str(folder / 'images'), 'notify_scripts': True, 'config_file': str(folder / 'request.conf')}
    with rpc.start_swrk(criu, room=room) as client:
        client.answer = answer
        assert client.call('DUMP', {**opts, 'pid': sleeper})['success']
    assert said.read_text().splitlines() == [
        'client pre-dump', f'two pre-dump {sleeper}', f'one pre-dump {sleeper}', 'client query-ext-files',
        'client post-dump', f'two post-dump {sleeper}', f'one post-dump {sleeper}']
    said.unlink()
    with rpc.start_swrk(criu, room=room) as client:
        client.answer = answer
        assert client.call('RESTORE', opts)['success']
    expected = []
    for action in ('pre-restore', 'post-restore', 'pre-resume', 'post-resume'):
        pid = '' if action == 'pre-restore' else f' {sleeper}'
        expected += [f'client {action}', f'two {action}{pid}', f'one {action}{pid}']
    assert said.read_text().splitlines() == expected
