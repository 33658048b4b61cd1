/* SPDX-License-Identifier: GPL-2.0-only */
/* criu migrate: 0 if the program runs on the other side, 1 if it stays, 2 if nobody knows. */
#include "command/command.h"
#include "flow/migrate/listen.h"
#include "flow/migrate/migrate.h"
#include "options/options.h"

int command_migrate(const struct options *options)
{
	if (options->listen)
		return migrate_listen(options) < 0 ? 1 : 0;
	return (int)(options->ask ? migrate_ask(options) : migrate_tree(options));
}
