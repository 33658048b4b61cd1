/* SPDX-License-Identifier: GPL-2.0-only */
/* The text of --cgroup-props: for each controller in quotes a strategy and a list of properties. */
#include "object/cgroup/rules.h"

#include <errno.h>
#include <string.h>

#include "base/fail.h"
#include "object/cgroup/properties.h"

struct text {
	const char *at, *start, *where;
	struct pool *pool;
};

static void skip_blanks(struct text *text)
{
	text->at += strspn(text->at, " \t\n\r");
}

static int refuse_rule(const struct text *text, const char *what)
{
	unsigned line = 1;

	for (const char *p = text->start; p < text->at; p++)
		line += *p == '\n';
	return refuse(EINVAL,
		      "%s: line %u: %s is expected; a rule looks like this: \"memory\":\\n - \"strategy\": "
		      "\"merge\"\\n - \"properties\": "
		      "[\"memory.limit_in_bytes\", ...]",
		      text->where, line, what);
}

static bool take_char(struct text *text, char c)
{
	skip_blanks(text);
	if (*text->at != c)
		return false;
	text->at++;
	return true;
}

static int take_word(struct text *text, const char *what, const char **ret)
{
	const char *end;

	skip_blanks(text);
	end = *text->at == '"' ? strchr(text->at + 1, '"') : NULL;
	if (!end || end == text->at + 1)
		return refuse_rule(text, what);
	*ret = pool_printf(text->pool, "%.*s", (int)(end - text->at - 1), text->at + 1);
	text->at = end + 1;
	return 0;
}

/* - "KEY": */
static int take_key(struct text *text, const char *key)
{
	const char *word;

	if (!take_char(text, '-'))
		return refuse_rule(text, "a dash");
	TRY(take_word(text, key, &word));
	if (strcmp(word, key) != 0)
		return refuse_rule(text, key);
	return take_char(text, ':') ? 0 : refuse_rule(text, "a colon");
}

static int take_names(struct text *text, struct property_rule *rule)
{
	if (!take_char(text, '['))
		return refuse_rule(text, "a list in brackets");
	if (take_char(text, ']'))
		return 0;
	do {
		const char *name;

		TRY(take_word(text, "a property in quotes", &name));
		if (strchr(name, '/'))
			return refuse_rule(text, "the name of a file, without a slash,");
		*vector_push(&rule->names) = name;
	} while (take_char(text, ','));
	return take_char(text, ']') ? 0 : refuse_rule(text, "a comma or a bracket");
}

static int take_rule(struct text *text, struct property_rule *rule)
{
	const char *strategy;

	TRY(take_word(text, "a controller in quotes", &rule->controller));
	if (!take_char(text, ':'))
		return refuse_rule(text, "a colon");
	TRY(take_key(text, "strategy"));
	TRY(take_word(text, "\"merge\" or \"replace\"", &strategy));
	rule->replace = !strcmp(strategy, "replace");
	if (!rule->replace && strcmp(strategy, "merge") != 0)
		return refuse_rule(text, "\"merge\" or \"replace\"");
	TRY(take_key(text, "properties"));
	return take_names(text, rule);
}

int property_rules_parse(const char *given, const char *where, struct pool *pool, struct property_rules *ret)
{
	struct text text = { given, given, where, pool };

	for (skip_blanks(&text); *text.at; skip_blanks(&text)) {
		struct property_rule *rule = vector_push(ret);

		*rule = (struct property_rule){ 0 };
		TRY(take_rule(&text, rule));
	}
	return 0;
}
