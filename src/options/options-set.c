/* SPDX-License-Identifier: GPL-2.0-only */
/* The values of options: text to members of struct options. */
#include "options/options-set.h"

#include "options/row.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/array.h"
#include "base/auto.h"
#include "base/fail.h"
#include "base/io.h"
#include "base/log.h"
#include "base/pool.h"
#include "base/text.h"
#include "base/vector.h"

int option_refuse_value(const struct option_row *row, const char *value, const char *what)
{
	return refuse(EBADRQC, "--%s: invalid value \"%s\": it must be %s", row->name, value, what);
}

struct keyword {
	const char *text;
	int value;
};

/* The value of a word or -1. */
static int find_word(const struct keyword *words, size_t n, const char *text)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(words[i].text, text))
			return words[i].value;
	return -1;
}

#define FIND_WORD(words, text) find_word(words, ARRAY_SIZE(words), text)

OPTION_SET(switch)
{
	*OPTION_MEMBER(options, row, bool) = true;
	return 0;
}

OPTION_SET(text)
{
	*OPTION_MEMBER(options, row, const char *) = pool_string(options->pool, value);
	return 0;
}

OPTION_SET(texts)
{
	*vector_push(OPTION_MEMBER(options, row, struct opt_list)) = pool_string(options->pool, value);
	return 0;
}

OPTION_SET(words)
{
	char *cursor = pool_string(options->pool, value), *word;

	while ((word = strsep(&cursor, ",")))
		if (*word)
			*vector_push(OPTION_MEMBER(options, row, struct opt_list)) = word;
	return 0;
}

OPTION_SET(absolute_paths)
{
	if (value[0] != '/')
		return option_refuse_value(row, value, "an absolute path");
	return set_texts(options, row, value);
}

/* criu changes its directory before it opens such a file. */
static const char *file_name(struct options *options, const char *value)
{
	AUTO_FREE char *here = value[0] == '/' ? NULL : getcwd(NULL, 0);

	return here ? pool_printf(options->pool, "%s/%s", here, value) : pool_string(options->pool, value);
}

OPTION_SET(file)
{
	*OPTION_MEMBER(options, row, const char *) = file_name(options, value);
	return 0;
}

OPTION_SET(files)
{
	*vector_push(OPTION_MEMBER(options, row, struct opt_list)) = file_name(options, value);
	return 0;
}

OPTION_SET(number)
{
	if (text_to_u32(value, 10, OPTION_MEMBER(options, row, uint32_t)) < 0)
		return option_refuse_value(row, value, "a number");
	return 0;
}

OPTION_SET(size)
{
	if (text_to_size(value, OPTION_MEMBER(options, row, uint64_t)) < 0)
		return option_refuse_value(row, value, "a number of bytes, maybe with K, M or G behind");
	return 0;
}

/* With less, one block would take longer than the other end waits for it. */
OPTION_SET(bandwidth)
{
	uint64_t *rate = OPTION_MEMBER(options, row, uint64_t);

	if (text_to_size(value, rate) < 0 || *rate < 65536)
		return option_refuse_value(row, value, "64K or more bytes per second, maybe with K, M or G behind");
	return 0;
}

OPTION_SET(fd)
{
	int fd;

	if (text_to_int(value, &fd) < 0 || fd < 0)
		return option_refuse_value(row, value, "the number of a descriptor");
	if (fcntl(fd, F_GETFD) < 0)
		return option_refuse_value(row, value, "a descriptor that is open");
	*OPTION_MEMBER(options, row, int) = fd;
	return 0;
}

OPTION_SET(port)
{
	uint32_t port;

	if (text_to_u32(value, 10, &port) < 0 || port == 0 || port > UINT16_MAX)
		return option_refuse_value(row, value, "a port from 1 to 65535");
	options->port = (uint16_t)port;
	return 0;
}

OPTION_SET(pid)
{
	int pid;

	if (text_to_int(value, &pid) < 0 || pid <= 0)
		return option_refuse_value(row, value, "a pid greater than 0");
	options->pid = pid;
	return 0;
}

/* Of -s and -R the last one wins. */
OPTION_SET(end_stop)
{
	options->end = OPT_END_STOP;
	return 0;
}

OPTION_SET(end_run)
{
	options->end = OPT_END_RUN;
	return 0;
}

/*
 * Words add to what is set before, ^word takes away. "none" empties everything; whatever comes after it, or anything
 * else than it, also asks for the image.
 */
OPTION_SET(cpu_cap)
{
	static const struct keyword words[] = {
		{ "fpu", OPT_CPU_FPU }, { "cpu", OPT_CPU_CPU }, { "ins", OPT_CPU_INS },
		{ "all", OPT_CPU_ALL }, { "none", 0 },
	};
	char *cursor = pool_string(options->pool, value ?: "all"), *text;

	options->cpu_cap_given = true;
	while ((text = strsep(&cursor, ","))) {
		bool inverted = text[0] == '^';
		int bits = FIND_WORD(words, text + inverted);

		if (bits < 0)
			return refuse(EINVAL, "--cpu-cap: unknown word \"%s\"; there are cpu, fpu, ins, all, none",
				      text);
		if (!bits) /* none, or ^none */
			options->cpu_cap = inverted ? OPT_CPU_ALL | OPT_CPU_IMAGE : 0;
		else if (inverted)
			options->cpu_cap = (options->cpu_cap & ~(uint32_t)bits) | OPT_CPU_IMAGE;
		else
			options->cpu_cap |= (uint32_t)bits | OPT_CPU_IMAGE;
	}
	return 0;
}

OPTION_SET(post_copy)
{
	static const struct keyword words[] = {
		{ "always", OPT_POST_COPY_ALWAYS },
		{ "auto", OPT_POST_COPY_AUTO },
		{ "never", OPT_POST_COPY_NEVER },
	};
	int mode = value ? FIND_WORD(words, value) : OPT_POST_COPY_ALWAYS;

	if (mode < 0)
		return option_refuse_value(row, value, "always, auto or never");
	options->post_copy = (enum opt_post_copy)mode;
	return 0;
}

OPTION_SET(network_lock)
{
	static const struct keyword words[] = {
		{ "iptables", OPT_LOCK_IPTABLES },
		{ "nftables", OPT_LOCK_NFTABLES },
		{ "skip", OPT_LOCK_SKIP },
		{ "none", OPT_LOCK_SKIP },
	};
	int method = FIND_WORD(words, value);

	if (method < 0)
		return option_refuse_value(row, value, "iptables, nftables or skip");
	options->network_lock = (enum opt_network_lock)method;
	return 0;
}

static int find_compression(const char *value, int *ret_level)
{
	static const struct keyword words[] = {
		{ "none", OPT_COMPRESS_NONE },
		{ "zstd", OPT_COMPRESS_ZSTD },
		{ "lz4", OPT_COMPRESS_LZ4 },
	};
	static const int highest[] = { [OPT_COMPRESS_ZSTD] = 19, [OPT_COMPRESS_LZ4] = 12 };
	const char *colon = strchrnul(value, ':');
	char word[16];
	int found;

	snprintf(word, sizeof(word), "%.*s", (int)(colon - value), value);
	found = FIND_WORD(words, word);
	if (found < 0 || !*colon)
		return found;
	return text_to_int(colon + 1, ret_level) < 0 || *ret_level < 1 || *ret_level > highest[found] ? -EINVAL : found;
}

OPTION_SET(stream)
{
	if (!value)
		options->stream_fd = OPT_STREAM_STREAMER;
	else if (!strcmp(value, "-"))
		options->stream_fd = OPT_STREAM_STANDARD;
	else if (text_to_int(value, &options->stream_fd) < 0 || options->stream_fd < 0)
		return option_refuse_value(row, value, "the number of a descriptor, or -");
	else if (fcntl(options->stream_fd, F_GETFD) < 0)
		return option_refuse_value(row, value, "a descriptor that is open");
	options->stream = true;
	return 0;
}

OPTION_SET(compress)
{
	int level = 1, found = value ? find_compression(value, &level) : OPT_COMPRESS_ZSTD;

	if (found < 0)
		return option_refuse_value(row, value, "zstd, zstd:LEVEL (1 to 19), lz4, lz4:LEVEL (1 to 12) or none");
	options->compression = (enum opt_compression)found;
	options->compression_level = level;
	return 0;
}

OPTION_SET(close)
{
	int fd;

	if (text_to_int(value, &fd) < 0 || fd < 0)
		return option_refuse_value(row, value, "the number of a descriptor");
	if (close(fd) < 0)
		return refuse(EBADRQC, "--close %d: this descriptor is not open", fd);
	return 0;
}

OPTION_SET(gone)
{
	return refuse(EBADRQC, "--%s is gone; leave it out", row->name);
}

/* Both are answered before any value is set. */
OPTION_SET(help)
{
	return OPTIONS_HELP;
}

OPTION_SET(version)
{
	return OPTIONS_VERSION;
}

OPTION_SET(external)
{
	const char *rest = text_after(value, "mnt[]");

	/* Any key: what a plugin or the other direction knows may be given too, as "console:" by LXC at a restore. */
	if (!rest)
		return value[0] ? set_texts(options, row, value)
				: option_refuse_value(row, value, "KIND[ID], KIND[ID]:NAME or a key");
	if (rest[0] && (rest[0] != ':' || rest[1 + strspn(rest + 1, "ms")]))
		return option_refuse_value(row, value, "mnt[], mnt[]:m or mnt[]:s");
	options->external_mounts_auto = true;
	options->external_mounts_masters |= strchr(rest, 'm') != NULL;
	options->external_mounts_sharing |= strchr(rest, 's') != NULL;
	return 0;
}

OPTION_SET(ext_mount_map)
{
	const char *colon = strchr(value, ':');

	if (!strcmp(value, "auto")) {
		options->external_mounts_auto = true;
		return 0;
	}
	if (!colon)
		return option_refuse_value(row, value, "KEY:VAL or auto");
	*vector_push(&options->external) =
		pool_printf(options->pool, "mnt[%.*s]:%s", (int)(colon - value), value, colon + 1);
	return 0;
}

OPTION_SET(veth_pair)
{
	const char *equal = strchr(value, '=');

	if (!equal)
		return option_refuse_value(row, value, "IN=OUT or IN=OUT@BRIDGE");
	*vector_push(&options->external) =
		pool_printf(options->pool, "veth[%.*s]:%s", (int)(equal - value), value, equal + 1);
	return 0;
}

OPTION_SET(ext_unix_sk)
{
	char *cursor = value ? pool_string(options->pool, value) : NULL, *word;
	uint32_t inode;

	options->ext_unix_sk = true;
	while ((word = strsep(&cursor, ","))) {
		if (text_to_u32(word, 10, &inode) < 0 || inode == 0)
			return option_refuse_value(row, value, "a list of inode numbers separated by commas");
		*vector_push(&options->ext_unix_inodes) = inode;
	}
	return 0;
}

OPTION_SET(joined)
{
	static const struct keyword words[] = {
		{ "save", OPT_JOINED_SAVE },
		{ "leave", OPT_JOINED_LEAVE },
		{ "refuse", OPT_JOINED_REFUSE },
	};
	int mode = FIND_WORD(words, value);

	if (mode < 0)
		return option_refuse_value(row, value, "save, leave or refuse");
	options->joined = (enum opt_joined)mode;
	return 0;
}

OPTION_SET(unix_peer)
{
	static const char *const words[] = { "refuse", "reconnect", "close", "given" };
	const char *colon = strchr(value, ':');
	size_t size = colon ? (size_t)(colon - value) : strlen(value);

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		if (strlen(words[i]) != size || memcmp(words[i], value, size) != 0 || (colon && !colon[1]))
			continue;
		*vector_push(&options->unix_peers) =
			(struct opt_unix_peer){ (enum opt_unix_peer_mode)i,
						colon ? pool_string(options->pool, colon + 1) : NULL };
		return 0;
	}
	return option_refuse_value(row, value,
				   "close, reconnect, given or refuse, perhaps with :NAME or :INODE behind");
}

/* "fd[3]:pipe:[1234]" names the key, "debug[3]:text" only writes. */
OPTION_SET(inherit_fd)
{
	const char *number = text_after(value, "fd["), *debug = text_after(value, "debug["), *key;
	char digits[16] = "";
	int fd;

	number = number ?: debug;
	key = number ? strstr(number, "]:") : NULL;
	if (!key || !key[2] || (size_t)(key - number) >= sizeof(digits))
		return option_refuse_value(row, value, "of the form fd[NUMBER]:KEY");
	memcpy(digits, number, (size_t)(key - number));
	if (text_to_int(digits, &fd) < 0 || fcntl(fd, F_GETFD) < 0)
		return option_refuse_value(row, value, "of the form fd[NUMBER]:KEY with an open descriptor");
	key += 2;
	if (debug) {
		if (io_write(fd, key, strlen(key)) < 0)
			return option_refuse_value(row, value, "a descriptor that can be written to");
		return 0;
	}
	*vector_push(&options->inherit_fds) = (struct opt_inherit_fd){ fd, pool_string(options->pool, key) };
	return 0;
}

/* A path without slashes at its end; "" is the root. */
static const char *trim_path(struct options *options, const char *from, size_t length)
{
	while (length && from[length - 1] == '/')
		length--;
	return pool_printf(options->pool, "%.*s", (int)length, from);
}

OPTION_SET(map_path)
{
	const char *equals = strchr(value, '=');

	if (value[0] != '/' || !equals || equals[1] != '/')
		return option_refuse_value(row, value, "OLD=NEW, two absolute paths");
	*vector_push(&options->map_paths) = (struct opt_pair){
		.from = trim_path(options, value, (size_t)(equals - value)),
		.to = trim_path(options, equals + 1, strlen(equals + 1)),
	};
	return 0;
}

/* ADDRESS, ADDRESS:PORT, [ADDRESS]:PORT or :PORT. */
static int parse_address(char *text, struct opt_address *ret)
{
	char *address = text, *colon = strrchr(text, ':'), *bracket = strchr(text, ']');
	uint32_t port = 0;

	*ret = (struct opt_address){ .family = AF_UNSPEC };
	if (*text == '[' && bracket) {
		*bracket = 0;
		address = text + 1;
		colon = bracket[1] == ':' ? bracket + 1 : NULL;
		if (bracket[1] && !colon)
			return -EINVAL;
	} else if (colon && strchr(text, ':') != colon) {
		colon = NULL; /* a bare IPv6 address */
	}
	if (colon && (text_to_u32(colon + 1, 10, &port) < 0 || !port || port > UINT16_MAX))
		return -EINVAL;
	if (colon)
		*colon = 0;
	ret->port = (uint16_t)port;
	if (!*address)
		return port ? 0 : -EINVAL;
	ret->family = strchr(address, ':') ? AF_INET6 : AF_INET;
	return inet_pton(ret->family, address, ret->words) == 1 ? 0 : -EINVAL;
}

OPTION_SET(tcp_map)
{
	char *text = pool_string(options->pool, value), *equals = strchr(text, '=');
	struct opt_address_pair pair;

	if (equals)
		*equals = 0;
	if (!equals || parse_address(text, &pair.from) < 0 || parse_address(equals + 1, &pair.to) < 0 ||
	    (pair.to.family && pair.from.family != pair.to.family) || (pair.to.port && !pair.from.port))
		return option_refuse_value(
			row, value,
			"OLD=NEW, both ADDRESS, ADDRESS:PORT or :PORT, of the same family; a new port needs "
			"an old one");
	*vector_push(&options->tcp_maps) = pair;
	return 0;
}

OPTION_SET(manage_cgroups)
{
	static const struct keyword words[] = {
		{ "none", OPT_CGROUPS_NONE }, { "props", OPT_CGROUPS_PROPS },	{ "soft", OPT_CGROUPS_SOFT },
		{ "full", OPT_CGROUPS_FULL }, { "strict", OPT_CGROUPS_STRICT }, { "ignore", OPT_CGROUPS_IGNORE },
	};
	int mode = value ? FIND_WORD(words, value) : OPT_CGROUPS_SOFT;

	if (mode < 0)
		return refuse(
			EINVAL,
			"--manage-cgroups: unknown mode \"%s\"; there are none, props, soft, full, strict, ignore",
			value);
	options->manage_cgroups = (enum opt_cgroups)mode;
	return 0;
}

OPTION_SET(cgroup_root)
{
	char *text = pool_string(options->pool, value), *path = strchr(text, ':');
	struct opt_cgroup_root root = { .controller = NULL, .path = text };

	if (text[0] != '/' && path) {
		*path++ = 0;
		root = (struct opt_cgroup_root){ .controller = text, .path = path };
	}
	if (!root.path[0])
		return option_refuse_value(row, value, "PATH or CONTROLLER:PATH");
	*vector_push(&options->cgroup_roots) = root;
	return 0;
}

OPTION_SET(lsm_profile)
{
	if (!text_starts(value, "apparmor:") && !text_starts(value, "selinux:") && !text_starts(value, "none:"))
		return option_refuse_value(row, value, "apparmor:NAME, selinux:NAME or none:");
	return set_text(options, row, value);
}

OPTION_SET(file_validation)
{
	static const struct keyword words[] = { { "filesize", OPT_FILE_SIZE }, { "buildid", OPT_FILE_BUILD_ID } };
	int mode = FIND_WORD(words, value);

	if (mode < 0)
		return refuse(EINVAL, "--file-validation: unknown mode \"%s\"; there are filesize, buildid", value);
	options->file_validation = (enum opt_file_validation)mode;
	return 0;
}

OPTION_SET(check_all)
{
	options->check_extra = options->check_experimental = true;
	return 0;
}

/*
 * "-v" one more, "-vvv" three more, "-v4" and "--verbosity=4" exactly 4. Scripts write "-verbosity=0", which getopt(3)
 * takes for "-v" with the value "erbosity=0": what is no number behind "-v" is 0, as for atoi(3). Values stand behind
 * the letter or a "=".
 */
OPTION_SET(verbosity)
{
	int number;

	if (!value)
		options->verbosity++;
	else if (!value[strspn(value, "v")])
		options->verbosity += 1 + (int)strlen(value);
	else if (!text_to_int(value, &number) && number >= 0)
		options->verbosity = number;
	else if (value[-1] == 'v' && (!strpbrk(value, "0123456789") || text_starts(value, "erbosity")))
		options->verbosity = 0;
	else
		return option_refuse_value(row, value, "a number, or more v");
	return 0;
}

OPTION_SET(pre_dump_mode)
{
	static const struct keyword words[] = { { "splice", OPT_PRE_DUMP_SPLICE }, { "read", OPT_PRE_DUMP_READ } };
	int mode = FIND_WORD(words, value);

	if (mode < 0)
		return option_refuse_value(row, value, "splice or read");
	options->pre_dump_mode = (enum opt_pre_dump_mode)mode;
	return 0;
}
