# SPDX-License-Identifier: LGPL-2.1-only
"""python3 -m crit is the program crit."""
