/* SPDX-License-Identifier: GPL-2.0-only */
/* criu dump and criu restore. */
#include "command/command.h"
#include "flow/dump.h"
#include "flow/restore.h"

int command_dump(const struct options *options)
{
	return dump(options) < 0 ? 1 : 0;
}

int command_restore(const struct options *options)
{
	return restore(options) < 0 ? 1 : 0;
}
