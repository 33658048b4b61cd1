/* SPDX-License-Identifier: GPL-2.0-only */
/* criu verify DIR: what images hold and need, and whether they are whole. */
#include "base/text.h"
#include "command/command.h"

#include <stdio.h>

#include "base/fail.h"
#include "base/log.h"
#include "command/report.h"
#include "flow/verify.h"

static const char *const need_titles[NEED_KINDS] = {
	[NEED_OPTION] = "options",	  [NEED_DESCRIPTOR] = "descriptors (--inherit-fd 'fd[N]:KEY')",
	[NEED_FILE] = "files, unchanged", [NEED_RIGHTS] = "rights that this user does not have",
	[NEED_PEER] = "others outside",
};
static const char *const need_names[NEED_KINDS] = {
	[NEED_OPTION] = "options", [NEED_DESCRIPTOR] = "descriptors", [NEED_FILE] = "files", [NEED_RIGHTS] = "rights",
	[NEED_PEER] = "peers",
};

/* --- text --- */

static void print_tasks(const struct verified *v)
{
	log_message("Processes: %zu, threads: %u\n", v->tasks.n, v->threads);
	for (size_t i = 0; i < v->tasks.n; i++) {
		const struct verified_task *task = &v->tasks.items[i];
		char memory[16], more[96] = "";

		text_size(task->memory, memory);
		if (task->threads && v->linked)
			snprintf(more, sizeof(more), ", %u thread%s, %zu descriptor%s, %s", task->threads,
				 report_plural(task->threads), task->descriptors, report_plural(task->descriptors),
				 memory);
		log_message("  %*s%d %s (%s%s)%s\n", (int)task->depth * 2, "", task->pid, task->name, task->state,
			    task->session == task->pid ? ", session leader" : "", more);
	}
}

static void print_contents(const struct verified *v)
{
	uint64_t private = 0;
	char size[16], shared[16];

	for (size_t i = 0; i < v->tasks.n; i++)
	private += v->tasks.items[i].memory;
	text_size(private, size);
	text_size(v->shared_memory, shared);
	log_message("Memory: %s private, %s in %zu shared object%s\n", size, shared, v->shared_objects,
		    report_plural(v->shared_objects));
	log_message("Open files:%s\n", v->files.n ? "" : " none");
	for (size_t i = 0; i < v->files.n; i++)
		log_message("  %4zu %s\n", v->files.items[i].n, v->files.items[i].what);
}

static void print_needs_of(const struct verified *v, enum need_kind kind)
{
	bool any = false;

	for (size_t i = 0; i < v->needs.list.n; i++) {
		const struct need *need = &v->needs.list.items[i];

		if (need->kind != kind)
			continue;
		if (!any)
			log_message("  %s:\n", need_titles[kind]);
		any = true;
		log_message("    %s%s%s%s\n", need->what, *need->why ? " (" : "", need->why, *need->why ? ")" : "");
	}
}

static void print_needs(const struct options *options, const struct verified *v)
{
	log_message("A restore needs:\n");
	for (enum need_kind kind = 0; kind < NEED_KINDS; kind++)
		print_needs_of(v, kind);
	if (v->plugins.n)
		log_message("  plugins:\n");
	for (size_t i = 0; i < v->plugins.n; i++)
		log_message("    %s\n", v->plugins.items[i]);
	log_message("  kernel features:\n");
	for (size_t i = 0; i < v->features.n; i++) {
		const struct verified_feature *feature = &v->features.items[i];

		log_message("    %s (Linux %s, for %s)%s\n", features[feature->id].name, features[feature->id].since,
			    features[feature->id].needed_for,
			    feature->there > 0	  ? ""
			    : feature->there == 0 ? ": missing here"
						  : ": this user cannot tell whether it is here");
	}
	if (options->new_pidns || options->copies)
		log_message("  no free pids: with --new-pidns and --copies they have a namespace of their own\n");
	else
		log_message("  free pids: those of all processes and threads (or --new-pidns)\n");
	log_message("  a CPU with the instructions that the programs chose to use%s%s\n",
		    *v->cpu_state ? "; live registers: " : "", v->cpu_state);
	if (v->cpu_model)
		log_message("  what cpuinfo.img demands of the CPU; they ran on %s\n", v->cpu_model);
}

static void print_text(const struct options *options, const struct verified *v, bool good)
{
	char size[16];

	text_size(v->image_bytes, size);
	log_message("%s: %u image%s, %s\n", options->images_dir, v->images, report_plural(v->images), size);
	if (v->tasks.n)
		print_tasks(v);
	if (v->linked) {
		print_contents(v);
		print_needs(options, v);
	}
	if (v->needs.unchecked)
		log_message("%u file%s could not be looked at by this user.\n", v->needs.unchecked,
			    report_plural(v->needs.unchecked));
	if (v->needs.other_paths)
		log_message("Paths are those of a mount namespace of its own, they were not looked for.\n");
	if (v->obstacles.warnings.n)
		log_message("Good to know:\n");
	report_print(&v->obstacles.warnings, "  ");
	if (v->damage.list.n) {
		log_message("The images are not whole:\n");
		report_print(&v->damage.list, "  ");
	} else if (v->linked) {
		log_message("The images are whole.\n");
	}
	if (v->obstacles.list.n) {
		log_message("A restore could not begin here:\n");
		report_print(&v->obstacles.list, "  ");
	}
	if (good)
		log_message("A restore could begin.\n");
}

/* --- JSON --- */

static json_t *task_json(const struct verified_task *task)
{
	json_t *json = json_object();

	json_object_set_new(json, "pid", json_integer(task->pid));
	json_object_set_new(json, "parent", json_integer(task->parent));
	json_object_set_new(json, "session", json_integer(task->session));
	json_object_set_new(json, "group", json_integer(task->group));
	json_object_set_new(json, "name", report_text(task->name));
	json_object_set_new(json, "state", json_string(task->state));
	json_object_set_new(json, "threads", json_integer(task->threads));
	json_object_set_new(json, "descriptors", json_integer((json_int_t)task->descriptors));
	json_object_set_new(json, "mappings", json_integer((json_int_t)task->mappings));
	json_object_set_new(json, "memory", json_integer((json_int_t)task->memory));
	return json;
}

static json_t *needs_json(const struct options *options, const struct verified *v)
{
	json_t *json = json_object(), *list;

	for (enum need_kind kind = 0; kind < NEED_KINDS; kind++) {
		list = json_object();
		for (size_t i = 0; i < v->needs.list.n; i++)
			if (v->needs.list.items[i].kind == kind)
				json_object_set_new_nocheck(list, v->needs.list.items[i].what,
							    report_text(v->needs.list.items[i].why));
		json_object_set_new(json, need_names[kind], list);
	}
	list = json_array();
	for (size_t i = 0; i < v->plugins.n; i++)
		json_array_append_new(list, report_text(v->plugins.items[i]));
	json_object_set_new(json, "plugins", list);
	list = json_object();
	for (size_t i = 0; i < v->features.n; i++)
		json_object_set_new(list, features[v->features.items[i].id].name,
				    v->features.items[i].there < 0 ? json_null()
								   : json_boolean(v->features.items[i].there));
	json_object_set_new(json, "features", list);
	json_object_set_new(json, "cpu_state", json_string(v->cpu_state));
	json_object_set_new(json, "cpu_model", v->cpu_model ? report_text(v->cpu_model) : json_null());
	json_object_set_new(json, "free_pids", json_boolean(!options->new_pidns && !options->copies));
	json_object_set_new(json, "unchecked_files", json_integer(v->needs.unchecked));
	return json;
}

static void print_json(const struct options *options, const struct verified *v, bool good)
{
	json_t *json = json_object(), *list = json_array();

	json_object_set_new(json, "restore_could_begin", json_boolean(good));
	json_object_set_new(json, "whole", json_boolean(v->linked && !v->damage.list.n));
	json_object_set_new(json, "images", json_integer(v->images));
	json_object_set_new(json, "image_bytes", json_integer((json_int_t)v->image_bytes));
	for (size_t i = 0; i < v->tasks.n; i++)
		json_array_append_new(list, task_json(&v->tasks.items[i]));
	json_object_set_new(json, "processes", list);
	list = json_object();
	for (size_t i = 0; i < v->files.n; i++)
		json_object_set_new(list, v->files.items[i].what, json_integer((json_int_t)v->files.items[i].n));
	json_object_set_new(json, "open_files", list);
	json_object_set_new(json, "shared_memory", json_integer((json_int_t)v->shared_memory));
	json_object_set_new(json, "needs", needs_json(options, v));
	json_object_set_new(json, "damage", report_json(&v->damage.list));
	json_object_set_new(json, "obstacles", report_json(&v->obstacles.list));
	json_object_set_new(json, "warnings", report_json(&v->obstacles.warnings));
	report_print_json(json);
}

int command_verify(const struct options *options)
{
	struct verified verified = { 0 };
	bool good = verify_run(options, &verified) == 0;

	if (options->json)
		print_json(options, &verified, good);
	else
		print_text(options, &verified, good);
	failure_reset(); /* said */
	verify_done(&verified);
	return good ? 0 : 1;
}
