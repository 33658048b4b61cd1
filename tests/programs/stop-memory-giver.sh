#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# An action script: stops the process that gives the memory, and its guard, before the tasks run; notes its descriptors in $NOTES.
[ "$CRTOOLS_SCRIPT_ACTION" = pre-resume ] || exit 0
for dir in /proc/[0-9]*; do
	if [ "$(cat $dir/comm 2>/dev/null)" = criu-on-demand ]; then
		kill -STOP ${dir#/proc/}
		readlink $dir/fd/* > "$NOTES"
	fi
done
