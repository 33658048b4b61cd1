/* SPDX-License-Identifier: GPL-2.0-only */
/* criu undo: what a dump has left is taken back, and told. */
#include "command/command.h"

#include <stdio.h>

#include "base/fail.h"
#include "base/log.h"
#include "command/report.h"
#include "flow/undo.h"

static json_t *list_json(const char *const *items, size_t n)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, report_text(items[i]));
	return list;
}

static void print_undone(const struct options *options, const struct undone *undone)
{
	if (options->json) {
		json_t *json = json_object();

		json_object_set_new(json, "done", list_json(undone->done.items, undone->done.n));
		json_object_set_new(json, "left", list_json(undone->left.items, undone->left.n));
		report_print_json(json);
		return;
	}
	for (size_t i = 0; i < undone->done.n; i++)
		log_message("%s\n", undone->done.items[i]);
	for (size_t i = 0; i < undone->left.n; i++)
		log_message("Left as it is: %s\n", undone->left.items[i]);
	if (!undone->done.n)
		log_message("There was nothing to be taken back.\n");
}

int command_undo(const struct options *options)
{
	struct undone undone = { 0 };
	int error = undo_run(options, &undone);

	print_undone(options, &undone);
	undo_done(&undone);
	return error < 0 ? 1 : 0;
}
