#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# An action script of restore --copies: fails in copy $FAILING_COPY at the action $FAILING_ACTION, and notes all in $NOTES.
echo "$CRTOOLS_SCRIPT_ACTION $CRIU_COPY of $CRIU_COPIES" >> "$NOTES"
[ "$CRIU_COPY $CRTOOLS_SCRIPT_ACTION" != "$FAILING_COPY $FAILING_ACTION" ]
