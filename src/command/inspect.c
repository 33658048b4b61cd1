/* SPDX-License-Identifier: GPL-2.0-only */
/* criu inspect [DIR]: all that is in a checkpoint, as a page or, with --json, as JSON. */
#include <stdio.h>

#include "base/text.h"
#include "base/buffer.h"
#include "base/outline.h"
#include "base/pool.h"
#include "command/command.h"
#include "command/report.h"
#include "flow/inspect.h"
#include "options/options.h"

/* --- text --- */

/* Names come from programs: what could steer a terminal is shown, not sent. */
static void add_text(struct buffer *out, const char *text)
{
	for (; *text; text++) {
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			buffer_printf(out, "\\x%02x", (unsigned char)*text);
		else
			buffer_append(out, text, 1);
	}
}

static void add_value(struct buffer *out, const struct outline *node)
{
	char size[16];

	if (node->type == OUTLINE_SIZE) {
		text_size((uint64_t)node->number, size);
		buffer_printf(out, "%s", size);
	} else if (node->type == OUTLINE_NUMBER) {
		buffer_printf(out, "%lld", (long long)node->number);
	} else {
		add_text(out, node->text);
	}
}

/* A group that fits into one line: its values, the names of those after the first two. */
static void add_row(struct buffer *out, const struct outline *row)
{
	unsigned n = 0;

	for (const struct outline *node = row->first; node; node = node->next) {
		buffer_printf(out, "%s", n ? "  " : "");
		if (n++ >= 2 && node->type == OUTLINE_NUMBER)
			buffer_printf(out, "%s ", node->name);
		add_value(out, node);
	}
	buffer_printf(out, "\n");
}

static void add_names_and_values(struct buffer *out, const struct outline *group)
{
	for (const struct outline *node = group->first; node; node = node->next) {
		buffer_printf(out, "%s%s ", node == group->first ? "" : ", ", node->name);
		add_value(out, node);
	}
	buffer_printf(out, "\n");
}

static void add_members(struct buffer *out, const struct outline *group, int indent);

/* Rows, if all entries fit into one line each. */
static void add_list(struct buffer *out, const struct outline *list, int indent)
{
	bool rows = true;

	for (const struct outline *node = list->first; node; node = node->next)
		rows = rows && outline_is_flat(node);
	for (const struct outline *node = list->first; node; node = node->next) {
		buffer_printf(out, "%*s", indent, "");
		if (node->type != OUTLINE_GROUP) {
			add_value(out, node);
			buffer_printf(out, "\n");
		} else if (rows) {
			add_row(out, node);
		} else {
			buffer_printf(out, "-\n");
			add_members(out, node, indent + 2);
		}
	}
}

static void add_members(struct buffer *out, const struct outline *group, int indent)
{
	for (const struct outline *node = group->first; node; node = node->next) {
		if (node->type == OUTLINE_LIST && !node->first)
			continue;
		buffer_printf(out, "%*s%s:%s", indent, "", node->name, node->type == OUTLINE_LIST ? "\n" : " ");
		if (node->type == OUTLINE_LIST) {
			add_list(out, node, indent + 2);
		} else if (node->type == OUTLINE_GROUP) {
			add_names_and_values(out, node);
		} else {
			add_value(out, node);
			buffer_printf(out, "\n");
		}
	}
}

static void print_text(const struct outline *all)
{
	struct buffer out = { 0 };

	add_members(&out, all, 0);
	(void)fwrite(out.data, 1, out.size, stdout);
	buffer_done(&out);
}

/* --- JSON --- */

static json_t *make_json(const struct outline *node)
{
	char name[64];
	json_t *json;

	switch (node->type) {
	case OUTLINE_TEXT:
		return report_text(node->text);
	case OUTLINE_NUMBER:
	case OUTLINE_SIZE:
		return json_integer(node->number);
	case OUTLINE_LIST:
		json = json_array();
		for (const struct outline *one = node->first; one; one = one->next)
			json_array_append_new(json, make_json(one));
		return json;
	case OUTLINE_GROUP:
		break;
	}
	json = json_object();
	for (const struct outline *one = node->first; one; one = one->next) {
		snprintf(name, sizeof(name), "%s", one->name);
		for (char *c = name; *c; c++)
			*c = *c == ' ' ? '_' : *c;
		json_object_set_new(json, name, make_json(one));
	}
	return json;
}

int command_inspect(const struct options *options)
{
	struct pool *pool = pool_create();
	struct outline *all;
	int error = inspect_run(options, pool, &all);

	if (options->json)
		report_print_json(make_json(all));
	else
		print_text(all);
	pool_destroy(&pool);
	return error < 0 ? 1 : 0;
}
