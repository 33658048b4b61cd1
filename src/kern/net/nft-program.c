/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * What is used of libnftables, for a static build: Debian has that library only to be linked at run time. The program
 * nft(8) does it, as one that reads commands until we close its input: so a table with the flag "owner" lasts as long.
 */
#include <errno.h>
#include <fcntl.h>
#include <nftables/libnftables.h>
#include <poll.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/array.h"
#include "base/auto.h"
#include "base/buffer.h"
#include "base/io.h"
#include "base/pool.h"

/* Its answer comes last of all. */
#define LAST_COMMAND "describe meta mark\n"
#define LAST_ANSWER  "meta expression, datatype mark"

extern char **environ;

struct nft_ctx {
	pid_t pid;
	int input, commands;			/* commands: a memory file */
	struct pollfd from[2];			/* its output and its errors */
	struct buffer output, errors, *into[2]; /* what came from there */
};

static int spawn_program(struct nft_ctx *ctx, int input, int output, int errors)
{
	const char *const argv[] = { "nft", "-i", NULL };
	posix_spawn_file_actions_t actions;
	int error;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
	posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
	posix_spawn_file_actions_adddup2(&actions, errors, STDERR_FILENO);
	error = posix_spawnp(&ctx->pid, argv[0], &actions, NULL, (char *const *)argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	return -error;
}

/* Ends that lie above those of a program. */
static int make_pipe(int ends[2])
{
	if (pipe2(ends, O_CLOEXEC) < 0)
		return -1;
	for (int i = 0; i < 2; i++) {
		int high = fcntl(ends[i], F_DUPFD_CLOEXEC, STDERR_FILENO + 1);

		close(ends[i]);
		ends[i] = high;
	}
	return ends[0] < 0 || ends[1] < 0 ? -1 : 0;
}

static int start_program(struct nft_ctx *ctx)
{
	int pipes[3][2] = { { -1, -1 }, { -1, -1 }, { -1, -1 } }, error = 0;

	for (size_t i = 0; i < ARRAY_SIZE(pipes); i++)
		error = error ?: make_pipe(pipes[i]);
	error = error ?: spawn_program(ctx, pipes[0][0], pipes[1][1], pipes[2][1]);
	close(pipes[0][0]);
	close(pipes[1][1]);
	close(pipes[2][1]);
	ctx->input = pipes[0][1];
	ctx->from[0] = (struct pollfd){ .fd = pipes[1][0], .events = POLLIN };
	ctx->from[1] = (struct pollfd){ .fd = pipes[2][0], .events = POLLIN };
	ctx->commands = memfd_create("nft", MFD_CLOEXEC);
	return error || ctx->commands < 0 ? -1 : 0;
}

struct nft_ctx *nft_ctx_new(uint32_t flags)
{
	struct nft_ctx *ctx = xzalloc(sizeof(*ctx));

	ctx->into[0] = &ctx->output;
	ctx->into[1] = &ctx->errors;
	if (start_program(ctx) == 0 && nft_run_cmd_from_buffer(ctx, "") == 0)
		return ctx;
	nft_ctx_free(ctx);
	return NULL;
}

void nft_ctx_free(struct nft_ctx *ctx)
{
	close(ctx->input);
	if (ctx->pid > 0)
		(void)waitpid(ctx->pid, NULL, 0);
	close(ctx->commands);
	close(ctx->from[0].fd);
	close(ctx->from[1].fd);
	buffer_done(&ctx->output);
	buffer_done(&ctx->errors);
	free(ctx);
}

/* They always are. */
int nft_ctx_buffer_output(struct nft_ctx *ctx)
{
	return 0;
}

int nft_ctx_buffer_error(struct nft_ctx *ctx)
{
	return 0;
}

const char *nft_ctx_get_output_buffer(struct nft_ctx *ctx)
{
	return ctx->output.data;
}

const char *nft_ctx_get_error_buffer(struct nft_ctx *ctx)
{
	return ctx->errors.data;
}

/* Returns 0 at its end. */
static ssize_t read_some(int fd, struct buffer *into)
{
	char part[4096];
	ssize_t n = read(fd, part, sizeof(part));

	if (n > 0)
		buffer_append(into, part, (size_t)n);
	return n < 0 && errno == EINTR ? 1 : n;
}

/* The last answer is cut off. */
static bool is_over(struct buffer *output)
{
	char *last = output->size && output->data[output->size - 1] == '\n' ? strstr(output->data, LAST_ANSWER) : NULL;

	if (!last)
		return false;
	*last = '\0';
	output->size = (size_t)(last - output->data);
	return true;
}

static int read_answer(struct nft_ctx *ctx)
{
	while (!is_over(&ctx->output)) {
		if (poll(ctx->from, 2, -1) < 0 && errno != EINTR)
			return -1;
		for (int i = 0; i < 2; i++)
			if (ctx->from[i].revents && read_some(ctx->from[i].fd, ctx->into[i]) <= 0)
				return -1;
	}
	while (poll(&ctx->from[1], 1, 0) == 1)
		if (read_some(ctx->from[1].fd, &ctx->errors) <= 0)
			return -1;
	return ctx->errors.size ? -1 : 0;
}

int nft_run_cmd_from_buffer(struct nft_ctx *ctx, const char *commands)
{
	AUTO(buffer_done) struct buffer line = { 0 };

	buffer_done(&ctx->output);
	buffer_done(&ctx->errors);
	buffer_printf(&ctx->output, "%s", "");
	buffer_printf(&ctx->errors, "%s", "");
	buffer_printf(&line, "include \"/proc/%d/fd/%d\"\n" LAST_COMMAND, getpid(), ctx->commands);
	if (ftruncate(ctx->commands, 0) < 0 || lseek(ctx->commands, 0, SEEK_SET) < 0 ||
	    io_write(ctx->commands, commands, strlen(commands)) < 0 || io_write(ctx->commands, "\n", 1) < 0 ||
	    io_write(ctx->input, line.data, line.size) < 0)
		return -1;
	return read_answer(ctx);
}
