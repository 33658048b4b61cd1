#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# An action script that notes its calls in FOLDER/calls, FOLDER being where it lies; fails at the action that FOLDER/fail-at names.
FOLDER=$(dirname "$0")
NAME=$(basename "$0")
if [ -e /proc/$$/fd/0 ]; then input=open; else input=closed; fi
others=$(readlink /proc/$$/fd/* | grep -c -v -e pipe: -e "/$NAME$" -e /dump.log$ -e /restore.log$)
read -r state < <(sed -n 's/^State:\t\(.\).*/\1/p' "/proc/$CRTOOLS_INIT_PID/status" 2>/dev/null) || state=none
echo "$NAME $CRTOOLS_SCRIPT_ACTION root=$CRTOOLS_INIT_PID state=$state args=$# mark=$MARK" \
	"images=$(ls "$CRTOOLS_IMAGE_DIR" | grep -c inventory) input=$input others=$others" >> "$FOLDER/calls"
echo "$NAME says hello at $CRTOOLS_SCRIPT_ACTION"
[ "$CRTOOLS_SCRIPT_ACTION" != "$(cat "$FOLDER/fail-at" 2>/dev/null)" ]
