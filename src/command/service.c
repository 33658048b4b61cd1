/* SPDX-License-Identifier: GPL-2.0-only */
/* criu service and criu swrk. */
#include "command/start.h"
#include "service/server.h"
#include "service/service.h"

#include <stdio.h>

#include "command/command.h"
#include "command/version.h"
#include "options/options.h"
#include "service/worker.h"

static struct service_program describe_program(void)
{
	struct service_program program = { .missing_rights = missing_rights,
					   .open_directories = open_directories,
					   .check = command_check,
					   .introduce = log_who_we_are };

	sscanf(CRIU_VERSION, "%d.%d", &program.version_major, &program.version_minor);
	return program;
}

int command_service(const struct options *options)
{
	const struct service_program program = describe_program();

	return service_serve(&program, options);
}

int command_swrk(const struct options *options)
{
	const struct service_program program = describe_program();

	return service_work(&program, options);
}
