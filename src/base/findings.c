/* SPDX-License-Identifier: GPL-2.0-only */
/* Failures that are collected. */
#include "base/findings.h"

#include <stdlib.h>
#include <string.h>

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
			log_error("and %u more like this: %s", findings->list.items[i].more, findings->list.items[i].text);
}

void findings_done(struct findings *findings)
{
	for (size_t i = 0; i < findings->list.n; i++) {
		free(findings->list.items[i].scopes);
		free(findings->list.items[i].text);
	}
	vector_done(&findings->list);
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

int findings_note(const char *file, int line, int error, bool refused, const char *text)
{
	struct findings *findings = current;
	struct finding *last = NULL, *new;
	unsigned alike = 0;
	char *scopes;

	if (!findings)
		return LOG_ERROR;
	scopes = copy_scopes();
	for (size_t i = 0; i < findings->list.n; i++) {
		struct finding *known = &findings->list.items[i];

		if (known->line != line || strcmp(known->file, file) != 0)
			continue;
		alike++;
		last = known;
		if (is_known(known, scopes, text)) {
			free(scopes);
			return LOG_DEBUG;
		}
	}
	if (alike >= (findings->alike ?: FINDINGS_ALIKE)) {
		last->more++;
		free(scopes);
		return LOG_DEBUG;
	}
	new = vector_push(&findings->list);
	*new = (struct finding){ .file = file, .line = line, .error = error, .refused = refused, .scopes = scopes,
				 .text = xstrdup(text) };
	return findings->quiet ? LOG_INFO : LOG_ERROR;
}
