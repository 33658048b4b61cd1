/* SPDX-License-Identifier: GPL-2.0-only */
/* criu migrate: 0 if the program runs on the other side, 1 if it stays, 2 if nobody knows. */
#include "command/command.h"
#include "flow/migrate/listen.h"
#include "flow/migrate/migrate.h"
#include "options/options.h"

int command_migrate(const struct options *options)
{
	struct migration_facts facts;

	if (options->listen)
		return migrate_listen(options) < 0 ? 1 : 0;
	return (int)(options->ask ? migrate_ask(options, &facts) : migrate_tree(options, NULL, &facts));
}
