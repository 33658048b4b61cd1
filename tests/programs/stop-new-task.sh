#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# An action script that stops the new root task when its namespaces are ready.
[ "$CRTOOLS_SCRIPT_ACTION" = setup-namespaces ] && kill -STOP "$CRTOOLS_INIT_PID"
exit 0
