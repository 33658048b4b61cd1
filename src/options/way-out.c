/* SPDX-License-Identifier: GPL-2.0-only */
/* The words that an engine has for options of criu. */
#include "options/way-out.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/file.h"
#include "base/text.h"
#include "kern/proc/stat.h"
#include "options/row.h"

#define NAMED_MAX 8

/* What an engine's command takes by the same names; for all others it has no word. */
static const char *const podman_words[] = { "tcp-established", "file-locks", NULL };
static const char *const runc_words[] = {
	"tcp-established", "file-locks", "ext-unix-sk", "shell-job", "empty-ns", NULL
};
static const char *const containerd_gives[] = { "file-locks", NULL };
static const char *const lxc_gives[] = { "tcp-established", "file-locks", "link-remap", NULL };
static const char *const crun_words[] = { "tcp-established", "file-locks", "ext-unix-sk", "shell-job", NULL };

/* The first row that fits counts: podman calls runc. Names as in /proc/PID/comm, 15 characters. */
static const struct engine {
	const char *program, *parent; /* how they begin, NULL = any */
	const char *dump, *restore;   /* its commands, NULL = it hands on no options */
	const char *const *words;
	const char *called;
	const char *const *gives; /* whatever its user says */
} engines[] = {
	{ "runc", "podman", "podman container checkpoint", "podman container restore", podman_words, "podman" },
	{ "crun", "podman", "podman container checkpoint", "podman container restore", podman_words, "podman" },
	{ "runc", "conmon", "podman container checkpoint", "podman container restore", podman_words, "podman" },
	{ "crun", "conmon", "podman container checkpoint", "podman container restore", podman_words, "podman" },
	{ "runc", "docker", NULL, NULL, NULL, "docker" },
	{ "runc", "containerd-shim", NULL, NULL, NULL, "containerd", containerd_gives },
	{ "runc", NULL, "runc checkpoint", "runc restore", runc_words, "runc" },
	{ "crun", NULL, "crun checkpoint", "crun restore", crun_words, "crun" },
	{ "lxc", NULL, NULL, NULL, NULL, "LXC", lxc_gives },
	{ "[lxc", NULL, NULL, NULL, NULL, "LXC", lxc_gives },
};

static struct {
	char program[64], parent[64], config_file[256];
	bool is_restore;
} client;

static const struct engine *find_engine(const char *program, const char *parent)
{
	for (size_t i = 0; i < sizeof(engines) / sizeof(engines[0]); i++) {
		const struct engine *engine = &engines[i];

		if (text_starts(program, engine->program) && (!engine->parent || text_starts(parent, engine->parent)))
			return engine;
	}
	return NULL;
}

/*
 * Whether it is one of ours that an engine's user can give: messages also name options of chrt(1) and others, and a
 * descriptor is handed on by nobody.
 */
static const struct option_row *find_row(const char *name, size_t length)
{
	static const char descriptor[] = "inherit-fd";

	if (length == strlen(descriptor) && !memcmp(name, descriptor, length))
		return NULL;
	for (size_t i = 0; i < option_rows_count; i++)
		if (!option_rows[i].group && strlen(option_rows[i].name) == length &&
		    !memcmp(option_rows[i].name, name, length))
			return &option_rows[i];
	return NULL;
}

/* The options that a text names, each once. */
static size_t find_named(const char *text, const struct option_row *ret[NAMED_MAX])
{
	size_t n = 0;

	for (const char *at = strstr(text, "--"); at && n < NAMED_MAX; at = strstr(at + 2, "--")) {
		const struct option_row *row;
		size_t length = 0, i = 0;

		if (at > text && isalnum((unsigned char)at[-1]))
			continue;
		while (isalnum((unsigned char)at[2 + length]) || at[2 + length] == '-')
			length++;
		row = find_row(at + 2, length);
		while (i < n && ret[i] != row)
			i++;
		if (row && i == n)
			ret[n++] = row;
	}
	return n;
}

static bool has_word(const struct engine *engine, const struct option_row *row)
{
	for (const char *const *word = engine->words; word && *word; word++)
		if (!strcmp(*word, row->name))
			return true;
	return false;
}

/* " or" between them. Returns the new length. */
static size_t append_word(char *text, size_t capacity, size_t length, const char *first, const char *dashes,
			  const char *name)
{
	int n = snprintf(text + length, capacity - length, "%s %s%s", first, dashes, name);

	return n < 0 || (size_t)n >= capacity - length ? capacity - 1 : length + (size_t)n;
}

void way_out_add(const char *program, const char *parent, bool is_restore, const char *config_file, char *text,
		 size_t capacity)
{
	const struct engine *engine = find_engine(program, parent);
	const struct option_row *rows[NAMED_MAX];
	size_t n, length = strlen(text), n_words = 0, n_lines = 0;

	if (!engine)
		return;
	n = find_named(text, rows);
	if (!n)
		return;
	length = append_word(text, capacity, length, "; with", "", engine->called);
	for (size_t i = 0; i < n; i++) {
		if (!has_word(engine, rows[i]))
			continue;
		if (!n_words)
			length = append_word(text, capacity, length, ":", "",
					     is_restore ? engine->restore : engine->dump);
		length = append_word(text, capacity, length, n_words++ ? " or" : "", "--", rows[i]->name);
	}
	for (size_t i = 0; i < n; i++) {
		if (has_word(engine, rows[i]))
			continue;
		if (!n_lines)
			length = append_word(text, capacity, length, n_words ? ", or a line" : ": a line", "",
					     rows[i]->name);
		else
			length = append_word(text, capacity, length, " or", "", rows[i]->name);
		n_lines++;
	}
	if (n_lines)
		append_word(text, capacity, length, " in", "", config_file);
}

void way_out_add_known(char *text, size_t capacity)
{
	way_out_add(client.program, client.parent, client.is_restore, client.config_file, text, capacity);
}

/* Docker's containers are containerd's as well, in a namespace of this name. */
static bool is_docker(int proc)
{
	AUTO_FREE char *words = NULL;
	size_t size;

	return file_read_all(proc, "cmdline", &words, &size) == 0 && memmem(words, size, "-namespace\0moby", 16);
}

static pid_t read_name(pid_t pid, char ret[64])
{
	char path[32];
	struct proc_stat stat;

	ret[0] = '\0';
	snprintf(path, sizeof(path), "/proc/%d", pid);
	AUTO_CLOSE int proc = pid ? open(path, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
	if (proc < 0 || proc_stat_read(proc, &stat) < 0)
		return 0;
	snprintf(ret, 64, "%s", text_starts(stat.comm, "containerd-shim") && is_docker(proc) ? "docker" : stat.comm);
	return stat.ppid;
}

void way_out_begin(pid_t pid, bool is_restore, const char *config_file)
{
	read_name(read_name(pid, client.program), client.parent);
	client.is_restore = is_restore;
	snprintf(client.config_file, sizeof(client.config_file), "%s", config_file ?: "/etc/criu/default.conf");
	failure_explain(find_engine(client.program, client.parent) ? way_out_add_known : NULL);
}

/* What keeps a container of podman or docker has started a runtime for it, which has ended. */
void way_out_of_container(pid_t first, struct options *options)
{
	char program[64];
	const struct engine *engine;

	read_name(read_name(first, program), client.program);
	client.parent[0] = '\0';
	client.is_restore = false;
	if (text_starts(client.program, "conmon") || text_starts(client.program, "containerd-shim") ||
	    text_starts(client.program, "docker")) {
		memcpy(client.parent, client.program, sizeof(client.parent));
		snprintf(client.program, sizeof(client.program), "runc");
	}
	engine = find_engine(client.program, client.parent);
	snprintf(client.config_file, sizeof(client.config_file), "/etc/criu/%s.conf",
		 text_starts(client.program, "runc") ? "runc" : "default");
	for (const char *const *name = engine ? engine->gives : NULL; name && *name; name++) {
		const struct option_row *row = find_row(*name, strlen(*name));

		if (row)
			(void)row->set(options, row, NULL); /* a switch */
	}
}
