# SPDX-License-Identifier: LGPL-2.1-only
"""criu for Python programs: pycriu.criu asks it for dumps and restores, pycriu.images reads and writes images."""
import importlib

from . import images    # noqa: F401

__version__ = '@VERSION@'


def __getattr__(name):
    """What asks criu needs python3-protobuf; images do not."""
    if name == 'rpc':
        return importlib.import_module('.rpc_pb2', __name__)
    client = importlib.import_module('.client', __name__)
    if name in client.__all__:
        return getattr(client, name)
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
