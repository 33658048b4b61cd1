/* SPDX-License-Identifier: GPL-2.0-only */
/* Reports of findings. */
#include "command/report.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"

void report_print(const finding_list *list, const char *indent)
{
	for (size_t i = 0; i < list->n; i++) {
		const struct finding *finding = &list->items[i];

		log_message("%s%s%s%s\n", indent, finding->scopes, *finding->scopes ? ": " : "", finding->text);
		if (finding->more)
			log_message("%s... and %u more like this\n", indent, finding->more);
	}
}

/* Names may hold any bytes; JSON wants UTF-8. */
json_t *report_text(const char *text)
{
	json_t *json = json_string(text);
	char *plain, *to;

	if (json)
		return json;
	plain = to = xstrdup(text);
	for (; *text; text++)
		*to++ = (char)((unsigned char)*text < 0x80 ? *text : '?');
	json = json_string(plain);
	free(plain);
	return json;
}

json_t *report_json(const finding_list *list)
{
	json_t *all = json_array();

	for (size_t i = 0; i < list->n; i++) {
		const struct finding *finding = &list->items[i];
		json_t *one = json_object();

		json_object_set_new(one, "where", report_text(finding->scopes));
		json_object_set_new(one, "what", report_text(finding->text));
		json_object_set_new(one, "more", json_integer(finding->more));
		json_array_append_new(all, one);
	}
	return all;
}

void report_print_json(json_t *json)
{
	json_dumpf(json, stdout, JSON_INDENT(4));
	putchar('\n');
	fflush(stdout);
	json_decref(json);
}

const char *report_plural(size_t n)
{
	return n == 1 ? "" : "s";
}
