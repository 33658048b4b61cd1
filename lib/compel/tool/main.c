/* SPDX-License-Identifier: LGPL-2.1-only */
/* The program compel: flags and files for building parasites, and hgen, which makes C headers of them. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/array.h"
#include "base/auto.h"
#include "base/fail.h"
#include "base/file.h"
#include "base/io.h"
#include "base/log.h"
#include "base/pool.h"
#include "base/text.h"
#include "lib/compel/tool/paths.h"
#include "lib/compel/tool/tool.h"

#define PATH_SIZE 8192
#define LARGEST	  (256 << 20)

struct hgen_request {
	bool compat, is_static;
	const char *file, *output, *prefix;
	char **names; /* what follows the action */
	int n_names;
};

static const char usage[] =
	"Usage: compel [OPTIONS] ACTION\n"
	"\n"
	"  compel includes                       flags for the compiler to find the headers\n"
	"  compel [--compat] cflags              flags for compiling a parasite\n"
	"  compel [--compat] ldflags             flags for linking it\n"
	"  compel plugins [NAME...]              libraries to link it with: std, then each NAME (fds)\n"
	"  compel -f FILE -o FILE [-p PREFIX] hgen\n"
	"                                        makes a C header of a linked parasite\n"
	"  compel [--static] libs                the library to link a program with that injects it\n"
	"\n"
	"  -f, --file FILE        the parasite, as ld $(compel ldflags) wrote it\n"
	"  -o, --output FILE      the header\n"
	"  -p, --prefix PREFIX    what names in the header begin with [name of FILE]\n"
	"  -c, --compat           for 32-bit parasites\n"
	"  -s, --static           the static library\n"
	"  -l, --log-level LEVEL  0 to 4 [2]\n"
	"  -h, --help\n"
	"  -V, --version\n";

static int print_includes(const struct hgen_request *request)
{
	char path[PATH_SIZE];

	TRY(paths_find(PART_INCLUDE, path, sizeof(path)));
	if (strcmp(path, "/usr/include") != 0 && strcmp(path, "/usr/local/include") != 0)
		printf("-I %s\n", path);
	return 0;
}

static int print_cflags(const struct hgen_request *request)
{
	printf("-Wstrict-prototypes -ffreestanding -fno-stack-protector -nostdlib -fomit-frame-pointer %s%s\n",
	       request->compat ? "-fno-pic" : "-fpie", hgen_arch_cflags);
	return print_includes(request);
}

static int print_ldflags(const struct hgen_request *request)
{
	char path[PATH_SIZE];

	TRY(paths_find(PART_SCRIPTS, path, sizeof(path)));
	printf("-r -z noexecstack -T %s/compel-pack%s.lds.S\n", path, request->compat ? "-compat" : "");
	return 0;
}

static int find_plugin(const char *folder, const char *name, struct buffer *out)
{
	char path[PATH_SIZE + 256];

	snprintf(path, sizeof(path), "%s/%s.lib.a", folder, name);
	if (access(path, R_OK) < 0)
		return fail_errno("plugin %s: %s", name, path);
	buffer_printf(out, "%s\n", path);
	return 0;
}

static int print_plugins(const struct hgen_request *request)
{
	AUTO(buffer_done) struct buffer out = { 0 };
	char path[PATH_SIZE];

	TRY(paths_find(PART_PLUGINS, path, sizeof(path)));
	TRY(find_plugin(path, "std", &out));
	for (int i = 0; i < request->n_names; i++)
		if (strcmp(request->names[i], "std") != 0)
			TRY(find_plugin(path, request->names[i], &out));
	fputs(out.data, stdout);
	return 0;
}

static int print_libs(const struct hgen_request *request)
{
	char path[PATH_SIZE];

	if (paths_find(request->is_static ? PART_STATIC : PART_SHARED, path, sizeof(path)) < 0)
		return refuse(ENOENT, "a build directory has only the static library: compel --static libs");
	puts(path);
	return 0;
}

static bool is_identifier(const char *text)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789";

	return *text && !(*text >= '0' && *text <= '9') && !text[strspn(text, letters)];
}

/* The file's name up to the first dot. */
static bool make_prefix(const char *file, char *to, size_t capacity)
{
	const char *slash = strrchr(file, '/'), *name = slash ? slash + 1 : file;
	size_t n = strcspn(name, ".");

	if (n >= capacity)
		return false;
	memcpy(to, name, n);
	to[n] = '\0';
	for (char *p = to; *p; p++)
		if (*p == '-')
			*p = '_';
	return is_identifier(to);
}

static int write_file(const char *path, const struct buffer *text)
{
	AUTO_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	int error;

	if (fd < 0)
		return fail_errno("%s", path);
	error = io_write(fd, text->data, text->size);
	if (error < 0) {
		unlink(path);
		return fail(-error, "%s", path);
	}
	return 0;
}

static int make_header(const char *file, const char *prefix, const char *output)
{
	AUTO_FREE char *bytes = NULL;
	AUTO(object_done) struct object object = { 0 };
	AUTO(blob_done) struct blob blob = { 0 };
	AUTO(buffer_done) struct buffer text = { 0 };
	struct stat st;
	size_t size;
	int error;

	if (stat(file, &st) < 0)
		return fail_errno("%s", file);
	if (!S_ISREG(st.st_mode) || st.st_size > LARGEST)
		return refuse(EINVAL, "%s: is no regular file of at most %d bytes", file, LARGEST);
	error = file_read_all(AT_FDCWD, file, &bytes, &size);
	if (error < 0)
		return fail(-error, "%s", file);
	TRY(object_parse(&object, file, bytes, size));
	TRY(blob_make(&object, &blob));
	TRY(header_write(&object, &blob, prefix, &text));
	return write_file(output, &text);
}

static int write_header(const struct hgen_request *request)
{
	char prefix[256] = "";

	if (!request->file || !request->output) {
		fprintf(stderr, "compel: hgen wants --file and --output\n%s", usage);
		return 1;
	}
	if (request->prefix && !is_identifier(request->prefix)) {
		fprintf(stderr, "compel: the prefix \"%s\" is no identifier of C\n", request->prefix);
		return 2;
	}
	if (!request->prefix && !make_prefix(request->file, prefix, sizeof(prefix)) &&
	    !make_prefix(request->output, prefix, sizeof(prefix))) {
		fprintf(stderr, "compel: no prefix can be made of the names of the files: use --prefix\n");
		return 2;
	}
	return make_header(request->file, request->prefix ?: prefix, request->output) < 0;
}

static const struct action {
	const char *name;
	int (*run)(const struct hgen_request *request); /* 0, a negative error that was reported, or an exit code */
} actions[] = {
	{ "includes", print_includes }, { "cflags", print_cflags }, { "ldflags", print_ldflags },
	{ "plugins", print_plugins },	{ "libs", print_libs },	    { "hgen", write_header },
};

static const struct option options[] = {
	{ "compat", no_argument, NULL, 'c' },
	{ "static", no_argument, NULL, 's' },
	{ "file", required_argument, NULL, 'f' },
	{ "output", required_argument, NULL, 'o' },
	{ "prefix", required_argument, NULL, 'p' },
	{ "log-level", required_argument, NULL, 'l' },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ NULL, 0, NULL, 0 },
};

/* -1: go on, else the exit code. */
static int take_option(int c, struct hgen_request *request)
{
	int level;

	switch (c) {
	case 'c':
		request->compat = true;
		return -1;
	case 's':
		request->is_static = true;
		return -1;
	case 'f':
		request->file = optarg;
		return -1;
	case 'o':
		request->output = optarg;
		return -1;
	case 'p':
		request->prefix = optarg;
		return -1;
	case 'l':
		if (text_to_int(optarg, &level) == 0) {
			log_set_level(level);
			return -1;
		}
		fprintf(stderr, "compel: the log level \"%s\" is no number\n%s", optarg, usage);
		return 1;
	case 'h':
		fputs(usage, stdout);
		return 0;
	case 'V':
		puts("Version: 1.0.0");
		return 0;
	}
	fputs(usage, stderr);
	return 1;
}

int main(int argc, char *argv[])
{
	struct hgen_request request = { 0 };
	int c, code;

	while ((c = getopt_long(argc, argv, "csf:o:p:l:hV", options, NULL)) != -1) {
		code = take_option(c, &request);
		if (code >= 0)
			return code;
	}
	log_open(NULL);
	if (optind >= argc) {
		fprintf(stderr, "compel: what shall be done?\n%s", usage);
		return 1;
	}
	request.names = argv + optind + 1;
	request.n_names = argc - optind - 1;
	for (size_t i = 0; i < ARRAY_SIZE(actions); i++) {
		if (strcmp(argv[optind], actions[i].name) != 0)
			continue;
		code = actions[i].run(&request);
		return fflush(stdout) || code < 0 ? 1 : code;
	}
	fprintf(stderr, "compel: unknown action \"%s\"\n%s", argv[optind], usage);
	return 1;
}
