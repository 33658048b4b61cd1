/* SPDX-License-Identifier: GPL-2.0-only */
/* Properties of cgroups: small text files, each with its own idea of what may be written to it. */
#include "object/cgroup/properties.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/array.h"
#include "base/auto.h"
#include "base/buffer.h"
#include "base/fail.h"
#include "base/file.h"
#include "base/text.h"
#include "object/cgroup/hierarchy.h"

enum how {
	PLAIN,	      /* what is read can be written */
	FIRST_NUMBER, /* the value behind the first word */
	LINES,	      /* one write for each line */
	CONTROLLERS,  /* "cpu pids" is read, "+cpu +pids" written */
	DEVICES,      /* read from devices.list, written to devices.deny and devices.allow */
	TYPE,	      /* only "threaded" can be written; the others come by themselves */
	OWNER_ONLY,   /* just who may use the file */
};

struct property {
	const char *controller, *name;
	enum property_when when;
	enum how how;
};

static const struct property properties[] = {
#define PROPERTY(controller, name, when, how) { controller, name, PROPERTY_##when, how },
#include "object/cgroup/properties.def"
#undef PROPERTY
};

#define N_PROPERTIES (ARRAY_SIZE(properties))

static const struct property *find_property(const char *name)
{
	static const struct property other = { "", "", PROPERTY_LATE, PLAIN };

	for (size_t i = 0; i < N_PROPERTIES; i++)
		if (!strcmp(properties[i].name, name))
			return &properties[i];
	return &other;
}

enum property_when property_when(const char *name)
{
	return find_property(name)->when;
}

/* --- which ones --- */

void property_rules_done(struct property_rules *rules)
{
	for (size_t i = 0; i < rules->n; i++)
		vector_done(&rules->items[i].names);
	vector_done(rules);
}

static void add_name(struct property_names *names, const char *name)
{
	for (size_t i = 0; i < names->n; i++)
		if (!strcmp(names->items[i], name))
			return;
	*vector_push(names) = name;
}

static bool has_word(const char *words, const char *word)
{
	size_t size = strlen(word);

	for (; *words; words += strcspn(words, " "), words += strspn(words, " "))
		if (!strncmp(words, word, size) && (words[size] == ' ' || !words[size]))
			return size > 0;
	return false;
}

static bool is_replaced(const char *controller, const struct property_rules *rules)
{
	for (size_t i = 0; i < rules->n; i++)
		if (rules->items[i].replace && !strcmp(rules->items[i].controller, controller))
			return true;
	return false;
}

static void add_rules(const char *controllers, const char *enabled, const struct property_rules *rules,
		      struct property_names *ret)
{
	for (size_t i = 0; i < rules->n; i++) {
		const struct property_rule *rule = &rules->items[i];

		if (*controllers ? !controllers_have(controllers, rule->controller)
				 : !has_word(enabled, rule->controller))
			continue;
		for (size_t k = 0; k < rule->names.n; k++)
			add_name(ret, rule->names.items[k]);
	}
}

void property_names_find(const char *controllers, const char *enabled, const struct property_rules *rules,
			 struct property_names *ret)
{
	const char *common = *controllers ? "*1" : "*2";
	bool ruled = false;

	ret->n = 0;
	for (size_t i = 0; i < N_PROPERTIES; i++) {
		const struct property *p = &properties[i];

		/* What the user asks for stands behind the controllers' own. */
		if (!ruled && *p->controller == '*') {
			add_rules(controllers, enabled, rules, ret);
			ruled = true;
		}
		if (!strcmp(p->controller, common) || (*controllers && controllers_have(controllers, p->controller) &&
						       !is_replaced(p->controller, rules)))
			add_name(ret, p->name);
	}
}

/* --- reading --- */

static char *first_number(char *text)
{
	char *number = text + strcspn(text, " \n");

	number += *number == ' ';
	number[strcspn(number, " \n")] = '\0';
	return number;
}

/* Each word with a plus. */
static char *enable_words(char *text, struct pool *pool)
{
	AUTO(buffer_done) struct buffer words = { 0 };
	char *word;

	while ((word = text_field(&text)))
		buffer_printf(&words, "%s%s%s", words.size ? " " : "", *word == '+' || *word == '-' ? "" : "+", word);
	return pool_string(pool, words.data ?: "");
}

int property_read(int dir, const char *name, struct pool *pool, char **ret)
{
	enum how how = find_property(name)->how;
	AUTO_FREE char *text = NULL;
	size_t size = 0;
	int error;

	if (how == OWNER_ONLY) {
		*ret = pool_string(pool, "");
		return faccessat(dir, name, F_OK, 0) < 0 ? -errno : 0;
	}
	error = file_read_all(dir, name, &text, &size);
	/* Some can only be written, or not be read in this sort of cgroup. */
	if (error == -EACCES || error == -EINVAL || error == -EOPNOTSUPP)
		return -ENOENT;
	if (error < 0)
		return error == -ENOENT ? error : fail(-error, "reading %s", name);
	while (size && text[size - 1] == '\n')
		text[--size] = '\0';
	*ret = how == FIRST_NUMBER  ? pool_string(pool, first_number(text))
	       : how == CONTROLLERS ? enable_words(text, pool)
				    : pool_string(pool, text);
	return 0;
}

/* --- writing --- */

static bool has_line(const char *text, const char *line)
{
	size_t size = strlen(line);

	for (; text; text = strchr(text, '\n')) {
		text += *text == '\n';
		if (!strncmp(text, line, size) && (text[size] == '\n' || !text[size]))
			return true;
	}
	return false;
}

/* Those that are not there yet. */
static int write_lines(int dir, const char *name, const char *value, const char *now)
{
	AUTO_FREE char *text = xstrdup(value);
	char *rest = text, *line;

	while ((line = text_line(&rest)))
		if (!has_line(now, line))
			TRY(file_write_text(dir, name, line));
	return 0;
}

/* All is forbidden before the list is allowed. "a *:* rwm" is how it looks when all is allowed. */
static int write_devices(int dir, const char *value)
{
	if (*value == 'a')
		return file_write_text(dir, "devices.allow", "a");
	TRY(file_write_text(dir, "devices.deny", "a"));
	return write_lines(dir, "devices.allow", value, "");
}

int property_write(int dir, const char *name, const char *value)
{
	AUTO(pool_destroy) struct pool *pool = pool_create();
	const struct property *p = find_property(name);
	char *now;

	if (p->how == OWNER_ONLY || (p->how == TYPE && strcmp(value, "threaded") != 0))
		return 0;
	if (property_read(dir, name, pool, &now) < 0) {
		if (faccessat(dir, name, F_OK, 0) < 0)
			return -errno;
		now = "";
	} else if (!strcmp(now, value)) {
		return 0;
	}
	switch (p->how) {
	case LINES:
		return write_lines(dir, name, value, now);
	case DEVICES:
		return write_devices(dir, value);
	case CONTROLLERS:
		return file_write_text(dir, name, enable_words(pool_string(pool, value), pool));
	default:
		return file_write_text(dir, name, value);
	}
}
