#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# An action script: kills criu when all tasks are made and none of them runs.
[ "$CRTOOLS_SCRIPT_ACTION" != post-restore ] || kill -KILL $PPID
