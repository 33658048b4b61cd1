# SPDX-License-Identifier: LGPL-2.1-only
"""Images of checkpoints for Python programs: pycriu.images."""
from . import images    # noqa: F401

__version__ = '@VERSION@'
