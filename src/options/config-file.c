/* SPDX-License-Identifier: GPL-2.0-only */
/* Configuration files: each line is one long option without its dashes. Syntax: criu(8), CONFIGURATION FILES. */
#include "options/config-file.h"

#include <ctype.h>
#include <fcntl.h>
#include <string.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/file.h"
#include "base/pool.h"
#include "base/text.h"
#include "options/options.h"

#define LARGEST_CONFIG (1u << 20)

/* text stands behind the opening quote. Ends the value in place; false if the quote does not end or text follows. */
static bool unquote_value(char *text)
{
	char *to = text;

	for (; *text != '"'; *to++ = *text++) {
		if (text[0] == '\\' && text[1] == '"')
			text++;
		if (!*text)
			return false;
	}
	text++;
	*to = 0;
	text += strspn(text, " \t\r");
	return *text == 0 || *text == '#';
}

/* Ends the value before a comment and trailing blanks; false if blanks are left inside. */
static bool trim_value(char *text)
{
	text[strcspn(text, "#\r")] = 0;
	for (size_t n = strlen(text); n && isblank((unsigned char)text[n - 1]); n--)
		text[n - 1] = 0;
	return !text[strcspn(text, " \t")];
}

int config_line_parse(struct pool *pool, char *line, const char **ret_word)
{
	char *name = line + strspn(line, " \t\r"), *value = name + strcspn(name, " \t\r#");
	bool has_value;

	*ret_word = NULL;
	if (value == name) /* empty, or a comment */
		return 0;
	if (*value == '#')
		*value = 0;
	else if (*value)
		*value++ = 0;
	value += strspn(value, " \t\r");
	has_value = *value && *value != '#';
	if (!has_value) {
		*ret_word = pool_printf(pool, "--%s", name);
		return 0;
	}
	if (*value == '"' ? !unquote_value(++value) : !trim_value(value))
		return -EINVAL;
	*ret_word = pool_printf(pool, "--%s=%s", name, value);
	return 0;
}

static int apply_line(struct options *options, char *line)
{
	const char *word;

	if (config_line_parse(options->pool, line, &word) < 0)
		return refuse(EBADRQC, "Unsupported configuration file format: a value with blanks needs one pair of "
				       "quotes, with nothing behind it");
	return word ? options_apply_word(options, (char *)word) : 0;
}

int options_apply_config(struct options *options, const char *path, bool only_regular)
{
	AUTO_FREE char *text = NULL;
	char *cursor, *line;
	int error, number = 0;

	if (!path || !path[0])
		return 0;
	error = file_read_foreign(AT_FDCWD, path, only_regular, LARGEST_CONFIG, &text);
	if (error == -ENOENT || error == -ENOTDIR)
		return 0;
	if (error == -EINVAL)
		return refuse(EINVAL, "config file %s is no regular file", path);
	if (error == -EFBIG)
		return refuse(EFBIG, "config file %s is longer than %u bytes", path, LARGEST_CONFIG);
	if (error < 0)
		return fail(-error, "config file %s cannot be read", path);
	cursor = text;
	while ((line = text_line(&cursor))) {
		LOG_SCOPE("%s:%d", path, ++number);
		error = apply_line(options, line);
		if (error)
			return error;
	}
	return 0;
}
