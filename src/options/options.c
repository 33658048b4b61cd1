/* SPDX-License-Identifier: GPL-2.0-only */
/* The command line: operands and options, in the manner of getopt_long(3). */
#include "options/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/array.h"
#include "base/fail.h"
#include "base/log.h"
#include "base/pool.h"
#include "base/text.h"
#include "base/vector.h"
#include "options/config-file.h"
#include "options/options-namespaces.h"
#include "options/options-set.h"
#include "options/row.h"

/* The words of options.def. */
enum {
	NONE = no_argument,
	NEEDED = required_argument,
	MAYBE = optional_argument,
	NO = false,
	NEG = true,
	DUMP = CMD_DUMP,
	PRE_DUMP = CMD_PRE_DUMP,
	RESTORE = CMD_RESTORE,
	LAZY_PAGES = CMD_LAZY_PAGES,
	CHECK = CMD_CHECK,
	VERIFY = CMD_VERIFY,
	INSPECT = CMD_INSPECT,
	RECEIVE = CMD_RECEIVE,
	UNDO = CMD_UNDO,
	MIGRATE = CMD_MIGRATE,
	PAGE_SERVER = CMD_PAGE_SERVER,
	SERVICE = CMD_SERVICE,
	CPUINFO = CMD_CPUINFO,
	CPUINFO_DUMP = CMD_CPUINFO_DUMP,
	ALL = CMD_ALL,
	PAGE_CLIENTS = CMD_DUMP | CMD_PRE_DUMP | CMD_LAZY_PAGES | CMD_PAGE_SERVER,
	SERVERS = PAGE_CLIENTS | CMD_SERVICE,
};

const struct option_row option_rows[] = {
#define GROUP(title) { .group = title },
#define OPTION(name_, letter_, argument_, how_, member_, commands_, negatable_, rpc_, value_, help_) \
	{ .name = name_,                                                                             \
	  .letter = letter_,                                                                         \
	  .argument = argument_,                                                                     \
	  .set = set_##how_,                                                                         \
	  .member = offsetof(struct options, member_),                                               \
	  .commands = commands_,                                                                     \
	  .negatable = negatable_,                                                                   \
	  .value_name = value_,                                                                      \
	  .help = help_ },
#include "options/options.def"
#undef OPTION
#undef GROUP
};

#define ROWS (ARRAY_SIZE(option_rows))

const size_t option_rows_count = ROWS;

_Static_assert(ROWS <= sizeof(((struct options *)0)->given), "given[] holds all rows");

/* getopt_long returns FIRST + 2 * row, and one more for the --no- form. */
#define FIRST 256

struct getopt_table {
	char letters[3 * ROWS + 1];
	struct option options[2 * ROWS + 1];
	char names[ROWS][40]; /* of the --no- forms */
};

static void make_getopt_table(struct getopt_table *table)
{
	size_t n = 0, letters = 0;

	memset(table, 0, sizeof(*table));
	for (size_t i = 0; i < ROWS; i++) {
		const struct option_row *row = &option_rows[i];

		if (row->group)
			continue;
		table->options[n++] = (struct option){ row->name, row->argument, NULL, FIRST + 2 * (int)i };
		if (row->negatable) {
			snprintf(table->names[i], sizeof(table->names[i]), "no-%s", row->name);
			table->options[n++] =
				(struct option){ table->names[i], no_argument, NULL, FIRST + 2 * (int)i + 1 };
		}
		if (row->letter) {
			table->letters[letters++] = row->letter;
			for (int colons = 0; colons < row->argument; colons++)
				table->letters[letters++] = ':';
		}
	}
}

/* The next row that the command line names, through ret_off whether it is switched off; NULL at the end. -EINVAL:
 * getopt(3) complained. */
static int next_row(const struct getopt_table *table, int argc, char **argv, const struct option_row **ret,
		    bool *ret_off)
{
	int code = getopt_long(argc, argv, table->letters, table->options, NULL);

	*ret = NULL;
	*ret_off = false;
	if (code == -1)
		return 0;
	if (code >= FIRST) {
		*ret = &option_rows[(code - FIRST) / 2];
		*ret_off = (code - FIRST) % 2;
		return 0;
	}
	for (size_t i = 0; i < ROWS; i++)
		if (!option_rows[i].group && option_rows[i].letter == code)
			*ret = &option_rows[i];
	return *ret ? 0 : -EINVAL;
}

bool options_are_given(const struct options *options, const char *name)
{
	for (size_t i = 0; i < ROWS; i++)
		if (!option_rows[i].group && !strcmp(option_rows[i].name, name))
			return options->given[i];
	return false;
}

void options_are_for_all(struct options *options)
{
	for (size_t i = 0; i < ROWS; i++)
		if (options->given[i])
			options->given[i] = OPT_GIVEN_FOR_ALL;
}

/* It may travel to another machine. */
static void keep_word(struct options *options, const struct option_row *row, bool off)
{
	if (row->commands & CMD_RESTORE)
		*vector_push(&options->words) = pool_printf(options->pool, "--%s%s%s%s", off ? "no-" : "", row->name,
							    optarg && !off ? "=" : "", optarg && !off ? optarg : "");
}

static int apply_row(struct options *options, const struct option_row *row, bool off, enum opt_given given)
{
	options->given[row - option_rows] = off ? OPT_NOT_GIVEN : given;
	keep_word(options, row, off);
	if (!off)
		return row->set(options, row, optarg);
	*OPTION_MEMBER(options, row, bool) = false;
	return 0;
}

static int apply_command_line(struct options *options, int argc, char **argv)
{
	struct getopt_table table;
	const struct option_row *row;
	bool off;
	int result;

	make_getopt_table(&table);
	optind = 0; /* glibc: begin anew */
	opterr = 1;
	for (;;) {
		TRY(next_row(&table, argc, argv, &row, &off));
		if (!row)
			return OPTIONS_RUN;
		result = apply_row(options, row, off, OPT_GIVEN);
		if (result)
			return result;
	}
}

/* --config and --no-default-config are needed before the rest is looked at; wrong options are reported later. */
static void find_config_options(struct options *options, int argc, char **argv)
{
	struct getopt_table table;
	const struct option_row *row;
	bool off;

	make_getopt_table(&table);
	optind = 0;
	opterr = 0;
	for (;;) {
		if (next_row(&table, argc, argv, &row, &off) < 0)
			continue;
		if (!row)
			return;
		if (!strcmp(row->name, "config") || !strcmp(row->name, "no-default-config"))
			(void)row->set(options, row, optarg); /* these two cannot fail */
	}
}

/* What getopt(3) does not like about a word with this name. */
static int refuse_word(const struct getopt_table *table, const char *word)
{
	size_t length = strcspn(word, "="), n = 0;

	for (const struct option *o = table->options; o->name; o++)
		n += !strncmp(o->name, word + 2, length - 2);
	if (optopt) /* it knows the option but not what to do with the value */
		return refuse(EINVAL, "option '%.*s' %s", (int)length, word,
			      word[length] ? "doesn't allow an argument" : "requires an argument");
	return refuse(EINVAL, "%s option '%.*s'", n > 1 ? "ambiguous" : "unrecognized", (int)length, word);
}

int options_apply_word(struct options *options, char *word)
{
	char *argv[] = { (char *)"", word, NULL };
	struct getopt_table table;
	const struct option_row *row;
	bool off;

	make_getopt_table(&table);
	optind = 0; /* glibc: begin anew */
	opterr = 0;
	if (next_row(&table, 2, argv, &row, &off) < 0)
		return refuse_word(&table, word);
	if (!row) /* "--" */
		return refuse(EINVAL, "the name of an option is missing");
	return apply_row(options, row, off, OPT_GIVEN_FOR_ALL);
}

/* HOME may still be that of another user, whose files are none of our business. */
static int apply_home_file(struct options *options)
{
	const char *home = getenv("HOME"), *path;

	if (!home)
		return 0;
	path = pool_printf(options->pool, "%s/.criu/default.conf", home);
	if (access(path, R_OK) < 0 && errno == EACCES) {
		log_info("%s is not readable for us", path);
		return 0;
	}
	return options_apply_config(options, path, false);
}

static int apply_config_files(struct options *options)
{
	const char *chosen = options->config_file;

	if (!options->no_default_config && !chosen) {
		TRY(options_apply_config(options, "/etc/criu/default.conf", false));
		TRY(apply_home_file(options));
	}
	TRY(options_apply_config(options, getenv("CRIU_CONFIG_FILE"), false));
	if (chosen && access(chosen, F_OK) < 0 && errno == ENOENT)
		log_warn("--config %s: there is no such file", chosen);
	return options_apply_config(options, chosen, false);
}

static const struct {
	const char *name;
	enum command command;
} commands[] = {
	{ "dump", CMD_DUMP },
	{ "pre-dump", CMD_PRE_DUMP },
	{ "restore", CMD_RESTORE },
	{ "lazy-pages", CMD_LAZY_PAGES },
	{ "check", CMD_CHECK },
	{ "verify", CMD_VERIFY },
	{ "inspect", CMD_INSPECT },
	{ "receive", CMD_RECEIVE },
	{ "undo", CMD_UNDO },
	{ "migrate", CMD_MIGRATE },
	{ "page-server", CMD_PAGE_SERVER },
	{ "service", CMD_SERVICE },
	{ "swrk", CMD_SWRK },
	{ "dedup", CMD_DEDUP },
	{ "cpuinfo dump", CMD_CPUINFO_DUMP },
	{ "cpuinfo check", CMD_CPUINFO_CHECK },
	{ "exec", CMD_EXEC },
	{ "show", CMD_SHOW },
};

static enum command find_command(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (!strcmp(commands[i].name, name))
			return commands[i].command;
	return 0;
}

const char *options_command_name(enum command command)
{
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (commands[i].command == command)
			return commands[i].name;
	return "?";
}

/* The command and what may stand behind it. words is NULL-terminated. */
static int parse_operands(struct options *options, char **words)
{
	const char *name = words[0];

	if (!name)
		return refuse(EINVAL, "a command is missing");
	words++;
	if (!strcmp(name, "cpuinfo")) {
		if (!words[0])
			return refuse(EINVAL, "cpuinfo: which one, \"cpuinfo dump\" or \"cpuinfo check\"?");
		name = pool_printf(options->pool, "cpuinfo %s", *words++);
	}
	options->command = find_command(name);
	if (!options->command)
		return refuse(EINVAL, "unknown command: %s", name);
	if (options->command & (CMD_EXEC | CMD_SHOW)) /* refused whatever follows */
		return 0;
	if (options->command == CMD_SWRK) {
		if (!words[0] || words[1] || text_to_int(words[0], &options->worker_fd) < 0 || options->worker_fd < 0) {
			fprintf(stderr, "Usage: criu swrk <fd>\n");
			return -EBADRQC;
		}
		return 0;
	}
	if (options->exec_cmd) {
		options->exec_argv = words;
		if (!words[0])
			return refuse(EINVAL, "--exec-cmd: the command is missing; write it behind --");
		return 0;
	}
	if (options->command & (CMD_VERIFY | CMD_INSPECT) && words[0])
		options->images_dir = *words++;
	if (options->command == CMD_MIGRATE && words[0])
		options->destination = *words++;
	if (words[0])
		return refuse(EINVAL, "too many operands: %s has no use for \"%s\"", name, words[0]);
	return 0;
}

int options_parse(struct options *options, int argc, char **argv)
{
	char **words = pool_array(options->pool, char *, (size_t)argc + 1);
	int result;

	options->argc = argc;
	options->argv = argv;
	for (int i = 1; i < argc && strcmp(argv[i], "--"); i++)
		if (!strcmp(argv[i], "-h") || !strcmp(argv[i], "--help"))
			return OPTIONS_HELP;
	/* getopt moves the operands to the end: of our array, not of the caller's. */
	memcpy(words, argv, sizeof(*words) * (size_t)argc);
	find_config_options(options, argc, words);
	TRY(apply_config_files(options));
	memcpy(words, argv, sizeof(*words) * (size_t)argc);
	result = apply_command_line(options, argc, words);
	if (result != OPTIONS_RUN)
		return result;
	return parse_operands(options, words + optind);
}

void options_init(struct options *options)
{
	*options = (struct options){
		.images_dir_fd = -1,
		.worker_fd = -1,
		.images_dir = ".",
		.cpu_cap = OPT_CPU_DEFAULT,
		.timeout = 10,
		.tell_timeout = 5,
		.max_rounds = 8,
		.round_size = 4 << 20,
		.max_downtime = 60,
		.rehearsal = true,
		.ghost_limit = 1 << 20,
		.ghost_fiemap = true,
		.progress = true,
		.manage_cgroups = OPT_CGROUPS_SOFT,
		.file_validation = OPT_FILE_BUILD_ID,
		.verbosity = LOG_WARN,
		.page_server_fd = -1,
		.post_copy_fd = -1,
		.status_fd = -1,
		.stream_fd = OPT_STREAM_STREAMER,
		.deprecated = getenv("CRIU_DEPRECATED") != NULL,
		.pool = pool_create(),
	};
}

void options_done(struct options *options)
{
	vector_done(&options->external);
	vector_done(&options->ext_unix_inodes);
	vector_done(&options->unix_peers);
	vector_done(&options->inherit_fds);
	vector_done(&options->map_paths);
	vector_done(&options->tcp_maps);
	vector_done(&options->join_ns);
	vector_done(&options->skip_mounts);
	vector_done(&options->enable_fs);
	vector_done(&options->action_scripts);
	vector_done(&options->irmap_scan_paths);
	vector_done(&options->cgroup_roots);
	vector_done(&options->cgroup_dump_controllers);
	vector_done(&options->encrypt_to);
	vector_done(&options->words);
	pool_destroy(&options->pool);
}
