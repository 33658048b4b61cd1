/* SPDX-License-Identifier: GPL-2.0-only */
/* Where the other side of a migration is: given descriptors, TCP, TLS, or a criu that ssh starts there. */
#include "flow/migrate/place.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/array.h"
#include "base/auto.h"
#include "base/fail.h"
#include "base/log.h"
#include "base/pool.h"
#include "base/text.h"
#include "flow/migrate/relay.h"
#include "flow/page-server.h"
#include "options/options.h"
#include "pages/peer.h"
#include "pages/tls.h"

static int refuse_place(const char *text)
{
	return refuse(EBADRQC,
		      "\"%s\" is no place: it must be ssh://[USER@]HOST[:PORT], tls://HOST:PORT, tcp://HOST:PORT "
		      "(not encrypted) or fd:N",
		      text);
}

static int parse_descriptors(const char *text, const char *numbers, struct migrate_place *ret)
{
	char first[16];
	const char *comma = strchr(numbers, ',');

	snprintf(first, sizeof(first), "%.*s", comma ? (int)(comma - numbers) : 15, numbers);
	if (text_to_int(first, &ret->in) < 0 || ret->in < 0)
		return refuse_place(text);
	ret->out = ret->in;
	if (comma && (text_to_int(comma + 1, &ret->out) < 0 || ret->out < 0))
		return refuse_place(text);
	return 0;
}

/* HOST:PORT, [ADDRESS]:PORT; the port may be left out. */
static int parse_host(const struct options *options, const char *text, const char *where, struct migrate_place *ret)
{
	const char *bracket = where[0] == '[' ? strchr(where, ']') : NULL, *colon = strchr(bracket ?: where, ':');
	size_t length = colon ? (size_t)(colon - where) : strlen(where);
	uint32_t port = 0;

	if ((where[0] == '[' && !bracket) || strchr(where, '/') || (colon && strchr(colon + 1, ':')))
		return refuse_place(text);
	if (colon && (text_to_u32(colon + 1, 10, &port) < 0 || port > UINT16_MAX))
		return refuse_place(text);
	ret->port = (uint16_t)port;
	if (bracket)
		ret->host = pool_printf(options->pool, "%.*s", (int)(bracket - where - 1), where + 1);
	else if (length)
		ret->host = pool_printf(options->pool, "%.*s", (int)length, where);
	return 0;
}

int place_parse(const struct options *options, const char *text, struct migrate_place *ret)
{
	static const struct {
		const char *prefix;
		enum migrate_way way;
	} ways[] = {
		{ "ssh://", MIGRATE_BY_SSH },
		{ "tls://", MIGRATE_BY_TLS },
		{ "tcp://", MIGRATE_BY_TCP },
	};

	*ret = (struct migrate_place){ .in = -1, .out = -1 };
	if (text_starts(text, "fd:"))
		return parse_descriptors(text, text + 3, ret);
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		if (!text_starts(text, ways[i].prefix))
			continue;
		ret->way = ways[i].way;
		return parse_host(options, text, text + strlen(ways[i].prefix), ret);
	}
	return refuse_place(text);
}

bool place_can_be_found_again(const struct migrate_place *place)
{
	return place->way != MIGRATE_BY_FD;
}

/* --- given descriptors --- */

static int take_descriptor(int fd)
{
	int own = fcntl(fd, F_DUPFD_CLOEXEC, 3);

	return own < 0 ? fail_errno("fd:%d is not open", fd) : own;
}

static int replace_standard(int fd)
{
	AUTO_CLOSE int other =
		fd == STDIN_FILENO ? open("/dev/null", O_RDONLY | O_CLOEXEC) : fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);

	if (fd > STDERR_FILENO)
		return 0;
	return other < 0 || dup2(other, fd) < 0 ? fail_errno("descriptor %d cannot be replaced", fd) : 0;
}

int place_take_given(const struct migrate_place *place, struct wire *ret)
{
	AUTO_CLOSE int in = take_descriptor(place->in);
	AUTO_CLOSE int out = -1;

	TRY(in);
	if (place->out != place->in) {
		out = take_descriptor(place->out);
		TRY(out);
	}
	TRY(replace_standard(place->in));
	TRY(replace_standard(place->out));
	*ret = (struct wire){ .in = in, .out = out >= 0 ? out : in };
	in = out = -1;
	return 0;
}

/* --- ssh --- */

static int spawn_ssh(char **argv, int theirs, pid_t *ret)
{
	posix_spawn_file_actions_t files;
	int error;

	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_adddup2(&files, theirs, STDIN_FILENO);
	posix_spawn_file_actions_adddup2(&files, theirs, STDOUT_FILENO);
	posix_spawn_file_actions_addclosefrom_np(&files, STDERR_FILENO + 1);
	log_flush(); /* it writes to stderr as well */
	error = posix_spawnp(ret, argv[0], &files, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&files);
	return error ? fail(error, "%s cannot be run", argv[0]) : 0;
}

/* For the shell that ssh has a command run by. */
static const char *quote_word(struct pool *pool, const char *text)
{
	char *quoted = pool_alloc(pool, 4 * strlen(text) + 3), *to = quoted;

	*to++ = '\'';
	for (; *text; text++)
		to += *text == '\'' ? sprintf(to, "'\\''") : sprintf(to, "%c", *text);
	*to++ = '\'';
	return quoted;
}

static int connect_by_ssh(const struct options *options, const struct migrate_place *place, struct wire *ret)
{
	char *argv[16], port[8], *command;
	const char *there = options->remote_dir;
	AUTO_CLOSE int theirs = -1, ours = -1;
	int ends[2], n = 0;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return fail_errno("making a pair of sockets");
	ours = ends[0];
	theirs = ends[1];
	command = pool_printf(options->pool, "%s migrate --listen fd:0,1 -v%d%s%s",
			      quote_word(options->pool, options->remote_criu ?: "criu"),
			      options->log_file ? LOG_WARN : options->verbosity, there ? " -D " : "",
			      there ? quote_word(options->pool, there) : "");
	argv[n++] = (char *)"ssh";
	argv[n++] = (char *)"-oServerAliveInterval=10";
	argv[n++] = (char *)"-oServerAliveCountMax=5";
	if (place->port) {
		snprintf(port, sizeof(port), "%u", place->port);
		argv[n++] = (char *)"-p";
		argv[n++] = port;
	}
	argv[n++] = (char *)"--";
	argv[n++] = (char *)place->host;
	argv[n++] = command;
	argv[n] = NULL;
	TRY(spawn_ssh(argv, theirs, &pid));
	*ret = (struct wire){ .in = ours, .out = ours, .helper = pid, .by_ssh = true };
	ours = -1;
	return 0;
}

/* --- TCP and TLS --- */

static int connect_by_tcp(const struct options *options, const struct migrate_place *place, struct wire *ret)
{
	struct peer_place there = page_server_place(options);
	AUTO(peer_close) struct peer *peer = NULL;
	AUTO_CLOSE int fd = -1;

	there.address = place->host;
	there.port = place->port;
	there.fd = -1;
	there.grace = WIRE_GRACE_S;
	there.tls = false;
	there.role = "criu migrate --listen";
	TRY(peer_connect(&there, &peer));
	fd = fcntl(peer_fd(peer), F_DUPFD_CLOEXEC, 3);
	if (fd < 0)
		return fail_errno("cannot duplicate a descriptor");
	if (place->way == MIGRATE_BY_TLS)
		return relay_tls(&there, TAKE_FD(fd), false, ret);
	*ret = (struct wire){ .in = fd, .out = fd };
	fd = -1;
	return 0;
}

int place_connect(const struct options *options, const struct migrate_place *place, struct wire *ret)
{
	*ret = WIRE_NONE;
	if (place->way == MIGRATE_BY_FD)
		return place_take_given(place, ret);
	if (!place->host)
		return refuse(EBADRQC, "the name of the other host is missing");
	if (place->way == MIGRATE_BY_SSH)
		return connect_by_ssh(options, place, ret);
	if (!place->port)
		return refuse(EBADRQC, "the port of criu migrate --listen on %s is missing", place->host);
	return connect_by_tcp(options, place, ret);
}

int place_welcome(const struct options *options, const struct migrate_place *place, int fd, struct wire *ret)
{
	struct peer_place here = page_server_place(options);

	*ret = WIRE_NONE;
	peer_watch_life(fd);
	if (place->way == MIGRATE_BY_TLS)
		return relay_tls(&here, fd, true, ret);
	*ret = (struct wire){ .in = fd, .out = fd };
	return 0;
}
