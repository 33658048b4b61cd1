/* SPDX-License-Identifier: LGPL-2.1-only */
/* Failures that are collected. */
#include "base/findings.h"

#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/log.h"
#include "base/pool.h"

static _Thread_local struct findings *current;

void findings_begin(struct findings *findings)
{
	findings->outer = current;
	current = findings;
}

void findings_end(struct findings *findings)
{
	current = findings->outer;
	for (size_t i = 0; i < findings->list.n; i++)
		if (findings->list.items[i].more && !findings->quiet)
			log_error("and %u more like this: %s", findings->list.items[i].more,
				  findings->list.items[i].text);
}

static void release_findings(finding_list *list)
{
	for (size_t i = 0; i < list->n; i++) {
		free(list->items[i].scopes);
		free(list->items[i].text);
	}
	vector_done(list);
}

void findings_done(struct findings *findings)
{
	release_findings(&findings->list);
	release_findings(&findings->warnings);
}

size_t findings_count(const struct findings *findings)
{
	size_t n = findings->list.n;

	for (size_t i = 0; i < findings->list.n; i++)
		n += findings->list.items[i].more;
	return n;
}

static char *copy_scopes(void)
{
	char text[1024];
	size_t n = log_scope_text(text, sizeof(text));

	if (n >= 2)
		text[n - 2] = '\0'; /* ": " */
	return xstrdup(text);
}

/* The same cause may be met twice, by two readers of one image. */
static bool is_known(const struct finding *known, const char *scopes, const char *text)
{
	return strcmp(known->text, text) == 0 && strcmp(known->scopes, scopes) == 0;
}

/* Returns the new one, or NULL if it is known or one too many of its kind, which is counted. */
static struct finding *add_finding(finding_list *list, const char *file, int line, const char *text, unsigned alike_max)
{
	struct finding *last = NULL, *new;
	unsigned alike = 0;
	char *scopes = copy_scopes();
	bool known = false;

	for (size_t i = 0; i < list->n && !known; i++) {
		if (list->items[i].line != line || strcmp(list->items[i].file, file) != 0)
			continue;
		alike++;
		last = &list->items[i];
		known = is_known(last, scopes, text);
	}
	if (known || alike >= alike_max) {
		last->more += !known;
		free(scopes);
		return NULL;
	}
	new = vector_push(list);
	*new = (struct finding){ .file = file, .line = line, .scopes = scopes, .text = xstrdup(text) };
	return new;
}

bool findings_want_warnings(void)
{
	return current && current->quiet;
}

void findings_note_warning(const char *file, int line, const char *text)
{
	AUTO_FREE char *copy = xstrdup(text);

	copy[strcspn(copy, "\n")] = '\0';
	(void)add_finding(&current->warnings, file, line, copy, current->alike ?: FINDINGS_ALIKE);
}

int findings_note(const char *file, int line, int error, bool refused, const char *text)
{
	struct finding *new;

	if (!current)
		return LOG_ERROR;
	new = add_finding(&current->list, file, line, text, current->alike ?: FINDINGS_ALIKE);
	if (!new)
		return LOG_DEBUG;
	new->error = error;
	new->refused = refused;
	return current->quiet ? LOG_INFO : LOG_ERROR;
}
