/* SPDX-License-Identifier: GPL-2.0-only */
/* criu page-server. */
#include "command/command.h"
#include "flow/page-server.h"
#include "options/options.h"

int command_page_server(const struct options *options)
{
	return page_server(options, NULL, options->restore_detached, NULL) < 0 ? 1 : 0;
}
