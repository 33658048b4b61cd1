/* SPDX-License-Identifier: GPL-2.0-only */
/* criu check --tree PID: what is in the way of a dump of this tree, with the options given. */
#include "base/text.h"
#include "command/command.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/log.h"
#include "base/pool.h"
#include "command/report.h"
#include "flow/dump/survey.h"
#include "options/options.h"
#include "options/way-out.h"

/* How the engine's user can say it. */
static void add_way_out(struct findings *findings)
{
	char text[2048];

	for (size_t i = 0; i < findings->list.n; i++) {
		struct finding *finding = &findings->list.items[i];

		snprintf(text, sizeof(text), "%s", finding->text);
		way_out_add_known(text, sizeof(text));
		free(finding->text);
		finding->text = xstrdup(text);
	}
}

/* What engines like runc say of a container by themselves: what they mounted, the terminal, a pid namespace that it
 * joined. */
static int look_as_engine(const struct options *options, const struct dump_survey *seen, struct dump_survey *ret)
{
	struct options more = *options;
	int error;

	more.external = (struct opt_list){ 0 };
	for (size_t i = 0; i < options->external.n; i++)
		*vector_push(&more.external) = options->external.items[i];
	if (seen->given_pids)
		*vector_push(&more.external) =
			pool_printf(options->pool, "pid[%ju]:engine", (uintmax_t)seen->given_pids);
	more.external_mounts_auto = more.external_mounts_masters = more.external_mounts_sharing = true;
	more.shell_job = true;
	way_out_of_container(options->pid, &more);
	error = dump_survey(&more, ret);
	add_way_out(&ret->findings);
	vector_done(&more.external);
	return error;
}

static void print_obstacles(const char *title, const struct dump_survey *survey)
{
	size_t n = findings_count(&survey->findings);

	log_message("%s:\n", title);
	report_print(&survey->findings.list, "  ");
	log_message("%zu obstacle%s.\n", n, report_plural(n));
}

static void print_text(const struct options *options, const struct dump_survey *survey, bool good)
{
	char memory[16];

	text_size(survey->memory, memory);
	log_message("Tree of process %d (%s): %u task%s, %u thread%s, %zu descriptor%s, about %s of memory\n",
		    options->pid, survey->root, survey->tasks, report_plural(survey->tasks), survey->threads,
		    report_plural(survey->threads), survey->descriptors, report_plural(survey->descriptors), memory);
	if (survey->findings.warnings.n)
		log_message("Good to know:\n");
	report_print(&survey->findings.warnings, "  ");
	if (good)
		log_message("Nothing is in the way of a dump.\n");
	else
		print_obstacles("In the way of a dump", survey);
}

static void print_container(const struct dump_survey *container, bool good)
{
	log_message(
		"An engine that made this container takes its mounts, its terminal and what it joined from outside by "
		"itself%s (see --external 'mnt[]:sm' --shell-job).\n",
		good ? ": nothing else is in its way" : "");
	if (!good)
		print_obstacles("In the way of the engine", container);
}

static void describe_findings(const struct dump_survey *survey, bool good, json_t *ret)
{
	json_object_set_new(ret, "dump_should_succeed", json_boolean(good));
	json_object_set_new(ret, "obstacles", report_json(&survey->findings.list));
	json_object_set_new(ret, "warnings", report_json(&survey->findings.warnings));
}

/* container: what an engine would meet; NULL: it was not asked for. */
static void print_json(const struct options *options, const struct dump_survey *survey, bool good,
		       const struct dump_survey *container, bool container_good)
{
	json_t *json = json_object(), *inner = container ? json_object() : NULL;

	json_object_set_new(json, "pid", json_integer(options->pid));
	json_object_set_new(json, "tasks", json_integer(survey->tasks));
	json_object_set_new(json, "threads", json_integer(survey->threads));
	json_object_set_new(json, "descriptors", json_integer((json_int_t)survey->descriptors));
	json_object_set_new(json, "memory", json_integer((json_int_t)survey->memory));
	describe_findings(survey, good, json);
	if (inner) {
		describe_findings(container, container_good, inner);
		json_object_set_new(json, "container", inner);
	}
	report_print_json(json);
}

int command_check_tree(const struct options *options)
{
	struct dump_survey survey = { .findings.quiet = true }, container = { .findings.quiet = true };
	int error = dump_survey(options, &survey), as_engine = 0;
	bool asked = error < 0 && survey.own_mounts && !options->external_mounts_auto;

	if (asked)
		as_engine = look_as_engine(options, &survey, &container);
	if (options->json) {
		print_json(options, &survey, error == 0, asked ? &container : NULL, as_engine == 0);
	} else if (survey.tasks) {
		print_text(options, &survey, error == 0);
		if (asked)
			print_container(&container, as_engine == 0);
	} else {
		report_print(&survey.findings.list, "");
	}
	failure_reset(); /* said */
	findings_done(&survey.findings);
	findings_done(&container.findings);
	return error < 0 ? 1 : 0;
}
