/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Streams to systemd-journald. Who connects sends seven lines: its identifier, its unit, the priority, whether "<N>" in
 * front of a line tells another one, and whether lines go on to syslog, kmsg and the console. journald keeps what it
 * was told in a file of its runtime directory, named by the number of its own end: streams/DEVICE:INODE (systemd 252).
 */
#include "object/socket/unix/journal.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/auto.h"
#include "base/file.h"
#include "base/log.h"
#include "base/pool.h"
#include "base/text.h"
#include "kern/net/sockdiag.h"
#include "object/socket/unix/unix.h"

#define WORD_MAX 256

struct greeting {
	char identifier[WORD_MAX], unit[WORD_MAX];
	char priority[4], prefix[4], syslog[4], kmsg[4], console[4];
};

/* /run/systemd/journal/stdout, /run/systemd/journal.NAME/stdout */
static bool is_journal(const char *name)
{
	const char *rest = text_after(name, "/run/systemd/journal");

	return rest && (*rest == '/' || *rest == '.') && !strcmp(strchr(rest, '/') ?: "", "/stdout");
}

static void take_line(struct greeting *greeting, const char *line)
{
	const struct {
		const char *key;
		char *to;
		size_t capacity;
	} keys[] = {
		{ "IDENTIFIER=", greeting->identifier, WORD_MAX },
		{ "UNIT=", greeting->unit, WORD_MAX },
		{ "PRIORITY=", greeting->priority, sizeof(greeting->priority) },
		{ "LEVEL_PREFIX=", greeting->prefix, sizeof(greeting->prefix) },
		{ "FORWARD_TO_SYSLOG=", greeting->syslog, sizeof(greeting->syslog) },
		{ "FORWARD_TO_KMSG=", greeting->kmsg, sizeof(greeting->kmsg) },
		{ "FORWARD_TO_CONSOLE=", greeting->console, sizeof(greeting->console) },
	};

	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
		const char *value = text_after(line, keys[i].key);

		if (value)
			snprintf(keys[i].to, keys[i].capacity, "%s", value);
	}
}

/* Names with odd characters are quoted there as in C: these are left out. */
static void read_state(struct greeting *greeting, const char *path)
{
	char text[4096], *cursor = text, *line;

	if (file_read_text(AT_FDCWD, path, text, sizeof(text)) < 0) {
		log_warn("%s cannot be read: journald will take what comes for output of %s", path,
			 greeting->identifier);
		return;
	}
	while ((line = strsep(&cursor, "\n")))
		if (!strchr(line, '\\'))
			take_line(greeting, line);
}

/* All sockets are on the same device. */
static dev_t device_of_sockets(void)
{
	AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct stat st;

	return fd >= 0 && fstat(fd, &st) == 0 ? st.st_dev : 0;
}

const char *unix_journal_greeting(const struct dump *d, const struct unix_dumped *socket, const struct unix_diag *peer)
{
	struct greeting greeting = { "", "", "6", "1", "0", "0", "0" };
	const char *name = pool_printf(d->pool, "%.*s", (int)peer->name_size, (const char *)peer->name ?: "");

	if (peer->type != SOCK_STREAM || !is_journal(name))
		return NULL;
	snprintf(greeting.identifier, sizeof(greeting.identifier), "%s", socket->task->comm);
	read_state(&greeting, pool_printf(d->pool, "%.*s/streams/%lu:%u", (int)(strlen(name) - strlen("/stdout")), name,
					  (unsigned long)device_of_sockets(), peer->ino));
	return pool_printf(d->pool, "%s\n%s\n%s\n%s\n%s\n%s\n%s\n", greeting.identifier, greeting.unit,
			   greeting.priority, greeting.prefix, greeting.syslog, greeting.kmsg, greeting.console);
}
