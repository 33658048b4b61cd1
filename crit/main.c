/* SPDX-License-Identifier: GPL-2.0-only */
/* The program crit: shows and makes images. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/array.h"
#include "base/auto.h"
#include "base/fail.h"
#include "base/io.h"
#include "base/log.h"
#include "base/pool.h"
#include "crit/crit.h"
#include "image/blocks/store-blocks.h"
#include "image/image.h"
#include "image/store.h"
#include "image/table.h"

#define EXIT_USAGE 2

struct arguments {
	const char *in, *out; /* NULL: the standard streams */
	const char *words[2];
	int n_words;
	const char *key; /* file of the private key of encrypted images */
	bool pretty, no_payload, svg;
	struct pool *pool;
	struct store *store; /* of an encrypted image */
};

struct command {
	const char *name, *usage, *help;
	int n_words;
	const char *options; /* letters of the options that it takes */
	int (*run)(struct arguments *arguments);
};

static int open_input(const char *path)
{
	/* A pipe may be one of the shell, with somebody who writes; if there is nobody, we do not wait for him. */
	AUTO_CLOSE int fd = path ? open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC) : dup(STDIN_FILENO);
	struct stat st;

	if (fd < 0)
		return fail_errno("cannot open %s", path ?: "the standard input");
	if (!path)
		return TAKE_FD(fd);
	if (fstat(fd, &st) < 0 || !(S_ISREG(st.st_mode) || S_ISFIFO(st.st_mode)) || fcntl(fd, F_SETFL, 0) < 0)
		return refuse(EINVAL, "%s is neither a regular file nor a pipe", path);
	return TAKE_FD(fd);
}

static const char *input_name(const char *path)
{
	const char *slash = path ? strrchr(path, '/') : NULL;

	return !path ? "standard input" : slash ? slash + 1 : path;
}

/* Puts out a result that is whole: what fails on the way leaves an old file as it was. */
static int write_output(const char *path, const void *data, size_t size)
{
	AUTO_CLOSE int fd = path ? open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600) : dup(STDOUT_FILENO);
	int error;

	if (fd < 0)
		return fail_errno("cannot write %s", path ?: "the standard output");
	error = io_write(fd, data, size);
	return error < 0 ? fail(-error, "cannot write %s", path ?: "the standard output") : 0;
}

/* What is needed besides the private key lies beside the image. */
static int open_encrypted(struct arguments *arguments, const char *path, struct image **ret)
{
	const char *name = input_name(path);
	const char *folder = name == path ? "." : pool_printf(arguments->pool, "%.*s", (int)(name - path), path);
	AUTO_CLOSE int dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	enum image_id id;
	uint64_t number;

	if (dir < 0)
		return fail_errno("cannot open the images directory %s", folder);
	if (image_parse_name(name, &id, &number) < 0)
		return refuse(EINVAL, "%s is not the name of an image", name);
	TRY(store_open_dir(dir, false, &arguments->store));
	store_decrypt_with(arguments->store, arguments->key);
	return image_open(arguments->store, ret, id, number);
}

/* Opens what is an image; a file without a known magic gets a hint. */
static int open_image(struct arguments *arguments, int fd, const char *path, struct image **ret)
{
	uint32_t magic = 0;
	int error;

	if (arguments->key && path)
		return open_encrypted(arguments, path, ret);
	error = image_open_fd(fd, input_name(path), arguments->pool, ret, &magic);
	if (error == -EBADMSG)
		return refuse(EINVAL,
			      "Unknown magic 0x%x in %s: maybe raw data (pages, a tar file, text of a tool), "
			      "which has nothing to decode",
			      magic, input_name(path));
	return error;
}

static int decode_input(struct arguments *arguments, struct decoding *decoding)
{
	AUTO(image_close) struct image *image = NULL;
	AUTO_CLOSE int fd = open_input(arguments->in);
	struct buffer *out = &decoding->json.out;

	TRY(fd);
	TRY(open_image(arguments, fd, arguments->in, &image));
	TRY(decode_image(decoding, image));
	if (!arguments->out)
		buffer_append(out, "\n", 1);
	return write_output(arguments->out, out->data, out->size);
}

static int run_decode(struct arguments *arguments)
{
	struct decoding decoding = {
		.pretty = arguments->pretty,
		.no_payload = arguments->no_payload,
		.pool = arguments->pool,
	};
	int error = decode_input(arguments, &decoding);

	buffer_done(&decoding.json.out);
	return error;
}

static int run_show(struct arguments *arguments)
{
	arguments->in = arguments->words[0];
	arguments->pretty = true;
	return run_decode(arguments);
}

static int read_input(const char *path, struct buffer *ret)
{
	AUTO_CLOSE int fd = open_input(path);

	TRY(fd);
	for (;;) {
		size_t before = ret->size;
		ssize_t got = io_read(fd, buffer_extend(ret, 1 << 20), 1 << 20);

		if (got < 0)
			return fail((int)-got, "cannot read %s", input_name(path));
		ret->size = before + (size_t)got;
		if (got < 1 << 20)
			return 0;
	}
}

static int run_encode(struct arguments *arguments)
{
	AUTO(buffer_done) struct buffer text = { 0 };
	AUTO_CLOSE int fd = memfd_create("image", MFD_CLOEXEC);
	struct json *json;
	off_t size;
	void *data;

	if (fd < 0)
		return fail_errno("cannot make a memory file");
	TRY(read_input(arguments->in, &text));
	if (memchr(text.data ?: "", '\0', text.size))
		return refuse(EINVAL, "%s is a binary file: encode wants JSON", input_name(arguments->in));
	TRY(json_read(text.data ?: "", text.size, arguments->pool, &json));
	TRY(encode_image(json, fd, input_name(arguments->out), arguments->pool));
	size = lseek(fd, 0, SEEK_END);
	data = mmap(NULL, (size_t)size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (data == MAP_FAILED)
		return fail_errno("cannot map the new image");
	return write_output(arguments->out, data, (size_t)size);
}

static int run_info(struct arguments *arguments)
{
	AUTO(image_close) struct image *image = NULL;
	AUTO_CLOSE int fd = open_input(arguments->words[0]);
	char text[128];
	size_t n;

	TRY(fd);
	TRY(open_image(arguments, fd, arguments->words[0], &image));
	TRY(count_entries(image, &n));
	snprintf(text, sizeof(text), "{\n    \"magic\": \"%s\",\n    \"count\": %zu\n}\n",
		 image_kind(image_get_id(image))->crit, n);
	return write_output(NULL, text, strlen(text));
}

static int run_explore(struct arguments *arguments)
{
	AUTO(buffer_done) struct buffer out = { 0 };
	AUTO_CLOSE int dir = open(arguments->words[0], O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (dir < 0)
		return fail_errno("cannot open the images directory %s", arguments->words[0]);
	TRY(explore_checkpoint(dir, arguments->svg ? "picture" : arguments->words[1], arguments->key, &out));
	return write_output(NULL, out.data, out.size);
}

static const struct command commands[] = {
	{ "decode", "decode [-i FILE] [-o FILE] [--pretty]", "image to JSON", 0, "iopk", run_decode },
	{ "encode", "encode [-i FILE] [-o FILE]", "JSON to image", 0, "io", run_encode },
	{ "info", "info FILE", "magic and number of entries of an image", 1, "k", run_info },
	{ "show", "show FILE [--nopl]", "image to JSON for reading; --nopl: without payloads", 1, "nk", run_show },
	{ "x", "x DIR ps|tree|fds|mems|rss [--svg]", "report on an image directory; --svg: the tree as a picture", 2,
	  "kv", run_explore },
};

#define N_COMMANDS (ARRAY_SIZE(commands))

static void print_usage(FILE *to, const struct command *command)
{
	if (command) {
		fprintf(to, "usage: crit %s\n", command->usage);
		return;
	}
	fprintf(to, "usage: crit [-h] [--version] decode|encode|info|show|x ...\n");
}

static int print_help(const struct command *command)
{
	print_usage(stdout, command);
	if (command) {
		printf("\n%s\n", command->help);
		return EXIT_SUCCESS;
	}
	printf("\nShows the images of a checkpoint, and makes them.\n\n");
	for (size_t i = 0; i < N_COMMANDS; i++)
		printf("  crit %-42s %s\n", commands[i].usage, commands[i].help);
	printf("\n  -i, --in FILE     read FILE [standard input]\n"
	       "  -o, --out FILE    write FILE [standard output]\n"
	       "  --pretty          indented, numbers as people read them\n"
	       "  --decrypt-with FILE  the private key for encrypted images (decode, info, show, x)\n");
	return EXIT_SUCCESS;
}

static int complain_about_usage(const struct command *command, const char *text, const char *what)
{
	print_usage(stderr, command);
	fprintf(stderr, "crit%s%s: error: %s%s\n", command ? " " : "", command ? command->name : "", text, what);
	return EXIT_USAGE;
}

/* Returns -1 to go on, else the exit code. */
static int parse_arguments(const struct command *command, int argc, char **argv, struct arguments *arguments)
{
	static const struct option options[] = {
		{ "in", required_argument, NULL, 'i' },
		{ "out", required_argument, NULL, 'o' },
		{ "pretty", no_argument, NULL, 'p' },
		{ "nopl", no_argument, NULL, 'n' },
		{ "svg", no_argument, NULL, 'v' },
		{ "help", no_argument, NULL, 'h' },
		{ "decrypt-with", required_argument, NULL, 'k' },
		{ 0 },
	};
	int option;

	opterr = 0;
	while ((option = getopt_long(argc, argv, "hi:o:", options, NULL)) != -1) {
		if (option == 'h')
			return print_help(command);
		if (option == '?' || !strchr(command->options, option))
			return complain_about_usage(command, "bad argument: ", argv[optind - 1]);
		if (option == 'i')
			arguments->in = optarg;
		if (option == 'o')
			arguments->out = optarg;
		if (option == 'k')
			arguments->key = optarg;
		arguments->pretty |= option == 'p';
		arguments->no_payload |= option == 'n';
		arguments->svg |= option == 'v';
	}
	for (; optind < argc; optind++) {
		if (arguments->n_words == command->n_words)
			return complain_about_usage(command, "unrecognized argument: ", argv[optind]);
		arguments->words[arguments->n_words++] = argv[optind];
	}
	if (arguments->n_words < command->n_words)
		return complain_about_usage(command, "an argument is missing", "");
	if (command->run == run_explore && !strstr(" ps tree fds mems rss ", arguments->words[1]))
		return complain_about_usage(command, "unknown report: ", arguments->words[1]);
	if (arguments->svg && strcmp(arguments->words[1], "tree") != 0)
		return complain_about_usage(command, "--svg is for tree, not for ", arguments->words[1]);
	return -1;
}

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < N_COMMANDS; i++) {
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	}
	return NULL;
}

int main(int argc, char **argv)
{
	struct arguments arguments = { 0 };
	const struct command *command;
	int error;

	if (argc < 2) {
		complain_about_usage(NULL, "a command is missing", "");
		return EXIT_FAILURE;
	}
	if (strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "--help") == 0)
		return print_help(NULL);
	if (strcmp(argv[1], "--version") == 0) {
		printf("%s\n", CRIT_VERSION);
		return EXIT_SUCCESS;
	}
	command = find_command(argv[1]);
	if (!command)
		return complain_about_usage(NULL, "unknown command: ", argv[1]);
	error = parse_arguments(command, argc - 1, argv + 1, &arguments);
	if (error >= 0)
		return error;
	log_open("/dev/null"); /* one plain line is enough for this program */
	arguments.pool = pool_create();
	error = command->run(&arguments);
	store_close(&arguments.store);
	pool_destroy(&arguments.pool);
	if (error < 0)
		fprintf(stderr, "crit: %s\n", failure_text());
	return error < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
