#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# An action script of restore --copies: notes in $NOTES.K that copy K is complete, and keeps the first one from going on.
[ "$CRTOOLS_SCRIPT_ACTION" = post-restore ] || exit 0
touch "$NOTES.$CRIU_COPY"
while [ "$CRIU_COPY" = 1 ]; do
	sleep 0.1
done
