#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# An action script that notes its calls in the file "calls" beside it, and fails at pre-stream.
echo "$CRTOOLS_SCRIPT_ACTION" >> "$(dirname "$0")/calls"
[ "$CRTOOLS_SCRIPT_ACTION" != pre-stream ]
