#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# An action script that freezes a cgroup at the action network-lock: WORD into the file CONTROL.
[ "$CRTOOLS_SCRIPT_ACTION" != network-lock ] || echo "$WORD" > "$CONTROL"
