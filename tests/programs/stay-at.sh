#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# An action script that stays at the action STAY_AT until criu is gone; makes the file MARKER then.
[ "$CRTOOLS_SCRIPT_ACTION" = "$STAY_AT" ] || exit 0
touch "$MARKER"
while kill -0 $PPID; do sleep 0.1; done
