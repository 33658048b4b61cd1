/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What criu inspect tells of a checkpoint. In the phase restore/inspect each family adds what it knows of one task to
 * the group `task`, and with the root task what it knows of the whole tree to `all`.
 */
#pragma once

struct outline;

struct inspection {
	struct outline *all;
	struct outline *task; /* of the task that the phase is called for */
};
