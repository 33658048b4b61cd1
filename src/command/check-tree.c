/* SPDX-License-Identifier: GPL-2.0-only */
/* criu check --tree PID: what is in the way of a dump of this tree, with the options given. */
#include "command/command.h"

#include <inttypes.h>

#include "base/fail.h"
#include "base/log.h"
#include "command/report.h"
#include "flow/dump.h"

static void print_text(const struct options *options, const struct dump_survey *survey, size_t n)
{
	char memory[16];

	report_size(survey->memory, memory);
	log_message("Tree of process %d (%s): %u task%s, %u thread%s, %zu descriptor%s, about %s of memory\n",
		    options->pid, survey->root, survey->tasks, report_plural(survey->tasks), survey->threads,
		    report_plural(survey->threads), survey->descriptors, report_plural(survey->descriptors), memory);
	if (survey->findings.warnings.n)
		log_message("Good to know:\n");
	report_print(&survey->findings.warnings, "  ");
	if (!n) {
		log_message("Nothing is in the way of a dump.\n");
		return;
	}
	log_message("In the way of a dump:\n");
	report_print(&survey->findings.list, "  ");
	log_message("%zu obstacle%s.\n", n, report_plural(n));
	/* runc and the like name all that they mounted, and the terminal. */
	if (survey->own_mounts && !options->external_mounts_auto)
		log_message("If an engine made this container it takes mounts and the terminal from outside by itself: "
			    "--external 'mnt[]:sm' --shell-job leave these out here.\n");
}

static void print_json(const struct options *options, const struct dump_survey *survey, bool good)
{
	json_t *json = json_object();

	json_object_set_new(json, "pid", json_integer(options->pid));
	json_object_set_new(json, "dump_should_succeed", json_boolean(good));
	json_object_set_new(json, "tasks", json_integer(survey->tasks));
	json_object_set_new(json, "threads", json_integer(survey->threads));
	json_object_set_new(json, "descriptors", json_integer((json_int_t)survey->descriptors));
	json_object_set_new(json, "memory", json_integer((json_int_t)survey->memory));
	json_object_set_new(json, "obstacles", report_json(&survey->findings.list));
	json_object_set_new(json, "warnings", report_json(&survey->findings.warnings));
	report_print_json(json);
}

int command_check_tree(const struct options *options)
{
	struct dump_survey survey = { .findings.quiet = true };
	int error = dump_survey(options, &survey);
	size_t n = error < 0 ? findings_count(&survey.findings) : 0;

	if (options->json)
		print_json(options, &survey, error == 0);
	else if (survey.tasks)
		print_text(options, &survey, n);
	else
		report_print(&survey.findings.list, "");
	failure_reset(); /* said */
	findings_done(&survey.findings);
	return error < 0 ? 1 : 0;
}
