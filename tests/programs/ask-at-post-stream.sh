#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# An action script: at post-stream it ends with the word that comes through the fifo ANSWER, whoever reads the stream.
[ "$CRTOOLS_SCRIPT_ACTION" = post-stream ] || exit 0
read -r word <"$ANSWER"
exit "$word"
