# SPDX-License-Identifier: GPL-2.0-only
"""Writes each change that criu tells into the file argv[1]; argv[2]: what to answer to a dump, yes, no or nothing."""
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / 'examples/tell'))
from criu_tell import Tell  # pylint: disable=wrong-import-position

out, answer = Path(sys.argv[1]), sys.argv[2]


def changed(state, copies):
    """Says it."""
    with out.open('a') as file:
        file.write(f'{state} {copies}\n')
    if state == Tell.DUMP and answer == 'nothing':
        raise KeyboardInterrupt
    return answer != 'no'


TELL = Tell(changed)
out.write_text('')
while True:
    try:
        time.sleep(60)
    except KeyboardInterrupt:
        pass
