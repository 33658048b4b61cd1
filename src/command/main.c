/* SPDX-License-Identifier: GPL-2.0-only */
/* The program criu: options, log, command; 0 if all went well, else 1, or what a restored root task ended with. */
#include "command/command.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/array.h"
#include "base/fail.h"
#include "base/log.h"
#include "command/start.h"
#include "command/version.h"
#include "options/options-check.h"
#include "options/options.h"
#include "options/usage.h"
#include "options/way-out.h"

enum {
	EXIT_DEPRECATED = 255,
};

/* All that options.c knows, but for those that are gone. */
static const struct {
	enum command command;
	int (*run)(const struct options *options);
} commands[] = {
	{ CMD_DUMP, command_dump },
	{ CMD_PRE_DUMP, command_pre_dump },
	{ CMD_DEDUP, command_dedup },
	{ CMD_RESTORE, command_restore },
	{ CMD_CHECK, command_check },
	{ CMD_VERIFY, command_verify },
	{ CMD_INSPECT, command_inspect },
	{ CMD_RECEIVE, command_receive },
	{ CMD_MIGRATE, command_migrate },
	{ CMD_UNDO, command_undo },
	{ CMD_CPUINFO_DUMP, command_cpuinfo_dump },
	{ CMD_CPUINFO_CHECK, command_cpuinfo_check },
	{ CMD_LAZY_PAGES, command_lazy_pages },
	{ CMD_PAGE_SERVER, command_page_server },
	{ CMD_SERVICE, command_service },
	{ CMD_SWRK, command_swrk },
};

static int (*find_command(enum command command))(const struct options *)
{
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (commands[i].command == command)
			return commands[i].run;
	return NULL;
}

void print_version(void)
{
	printf("Version: %s\n", CRIU_VERSION);
	printf("Build: %s (%s)\n", CRIU_RELEASE, CRIU_COMMIT);
}

static int refuse_deprecated(enum command command)
{
	if (command == CMD_EXEC)
		refuse(ENOSYS, "the command exec is gone; use \"compel\" to run code in another task");
	else
		refuse(ENOSYS, "the command show is gone; use \"crit decode -i NAME --pretty\"");
	return EXIT_DEPRECATED;
}

/* The command line was refused: its error goes to stderr, and the short usage text follows if it is of use. */
static int give_up(int result)
{
	(void)log_open(NULL); /* cannot fail */
	if (result == -EINVAL)
		options_print_usage(stdout);
	return 1;
}

/*
 * A program that has its capabilities from its file is not dumpable: what is in /proc/PID of it and of its children is
 * root's then, and they may not take each other's descriptors. Who has fewer capabilities may not look at it even so,
 * see ptrace(2).
 */
static void become_dumpable(const struct options *options)
{
	if (options->unprivileged && geteuid() != 0 && prctl(PR_GET_DUMPABLE) != 1)
		(void)prctl(PR_SET_DUMPABLE, 1); /* a failure shows where it hinders */
}

/* Who has started us may show its user what we print (lxc-checkpoint does), and not look into the log. */
static void tell_cause(const struct options *options)
{
	char line[1024];

	if (!(options->command & (CMD_DUMP | CMD_PRE_DUMP | CMD_RESTORE | CMD_MIGRATE)) || !options->log_file ||
	    !strcmp(options->log_file, "-") || !failure_error())
		return;
	failure_line(line, sizeof(line));
	fputs(line, stderr);
}

static int run_command(struct options *options)
{
	int (*command)(const struct options *) = find_command(options->command);
	int result;

	if (options->command & (CMD_EXEC | CMD_SHOW))
		return refuse_deprecated(options->command);
	if (options->command == CMD_SWRK) /* rights, directories and log are a matter of each request */
		return command(options);
	way_out_begin(getppid(), options->command == CMD_RESTORE, options->config_file);
	if ((!(options->command & (CMD_VERIFY | CMD_INSPECT | CMD_RECEIVE)) && check_rights(options) < 0) ||
	    open_directories(options) < 0 || take_stream(options) < 0)
		return 1;
	result = log_open(options->log_file);
	if (result < 0) {
		(void)log_refuse_file(options->log_file, result);
		return 1;
	}
	become_dumpable(options);
	log_who_we_are();
	result = options_check(options);
	if (result == -EINVAL)
		options_print_usage(stdout);
	return result < 0 ? 1 : command(options);
}

int main(int argc, char **argv)
{
	struct options options;
	int result, code = 0;

	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN); /* the write fails, by EFBIG */
	options_init(&options);
	result = options_parse(&options, argc, argv);
	log_set_level(options.verbosity);
	if (result == OPTIONS_HELP)
		options_print_help(stdout);
	else if (result == OPTIONS_VERSION)
		print_version();
	else if (result < 0)
		code = give_up(result);
	else
		code = run_command(&options);
	log_close();
	if (code)
		tell_cause(&options);
	options_done(&options);
	return code;
}
