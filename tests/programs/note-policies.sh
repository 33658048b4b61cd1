#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# An action script that notes under which scheduling policies criu and itself run after a dump, in a file beside it.
[ "$CRTOOLS_SCRIPT_ACTION" != post-dump ] || cut -d' ' -f41 /proc/$PPID/stat /proc/self/stat > "$(dirname "$0")/policies"
