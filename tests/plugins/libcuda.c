// SPDX-License-Identifier: GPL-2.0-only
/*
 * Stands in for NVIDIA's libcuda.so.1: hands each call to the thread of tests/programs/cuda-user.c that plays the
 * driver's part, by files in $STANDIN, and notes it there in "calls". $STANDIN_FAIL names a call that fails, with
 * "=die" behind one that crashes. Without -DCHECKPOINTS it is an old driver.
 */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define NOT_INITIALIZED 3
#define NO_DEVICE	100
#define ILLEGAL_STATE	401
#define NOT_READY	600
#define NOT_CUDA	999

static int initialized;

int cuInit(unsigned int flags)
{
	initialized = flags == 0;
	return getenv("STANDIN_FAIL") && !strcmp(getenv("STANDIN_FAIL"), "init") ? NO_DEVICE : 0;
}

int cuGetErrorName(int error, const char **name)
{
	*name = error == ILLEGAL_STATE ? "CUDA_ERROR_ILLEGAL_STATE"
		: error == NOT_READY   ? "CUDA_ERROR_NOT_READY"
		: error == NO_DEVICE   ? "CUDA_ERROR_NO_DEVICE"
				       : "CUDA_ERROR_UNKNOWN";
	return 0;
}

#ifdef CHECKPOINTS

static const char *file_of(int pid, const char *name)
{
	static char path[4][512];
	static int turn;

	turn = (turn + 1) % 4;
	if (pid)
		snprintf(path[turn], sizeof(path[turn]), "%s/%d.%s", getenv("STANDIN"), pid, name);
	else
		snprintf(path[turn], sizeof(path[turn]), "%s/%s", getenv("STANDIN"), name);
	return path[turn];
}

static void note_call(const char *name)
{
	FILE *file = fopen(file_of(0, "calls"), "a");

	fprintf(file, "%s\n", name);
	fclose(file);
}

static int read_word(int pid, const char *name, char *to, size_t capacity)
{
	FILE *file = fopen(file_of(pid, name), "r");
	size_t n;

	if (!file)
		return -1;
	n = fread(to, 1, capacity - 1, file);
	to[n] = '\0';
	fclose(file);
	return 0;
}

static int begin_call(const char *name)
{
	const char *fail = getenv("STANDIN_FAIL");

	note_call(name);
	if (fail && !strncmp(fail, name, strlen(name)) && !strcmp(fail + strlen(name), "=die"))
		raise(SIGSEGV);
	if (fail && !strcmp(fail, name))
		return ILLEGAL_STATE;
	return initialized ? 0 : NOT_INITIALIZED;
}

/* Only a thread that runs can answer. */
static int ask_thread(int pid, const char *word, unsigned int limit_ms)
{
	const struct timespec moment = { 0, 2000000 };
	char text[64];
	FILE *file;

	file = fopen(file_of(pid, "new"), "w");
	fprintf(file, "%s", word);
	fclose(file);
	unlink(file_of(pid, "done"));
	rename(file_of(pid, "new"), file_of(pid, "command"));
	for (unsigned int ms = 0; ms < limit_ms; ms += 2) {
		if (!read_word(pid, "done", text, sizeof(text)) && !strcmp(text, word))
			return 0;
		nanosleep(&moment, NULL);
	}
	unlink(file_of(pid, "command"));
	return NOT_READY;
}

static int get_state(int pid)
{
	static const char *const words[] = { "running", "locked", "checkpointed" };
	char text[64];

	if (read_word(pid, "state", text, sizeof(text)) < 0)
		return -1;
	for (int i = 0; i < 3; i++)
		if (!strcmp(text, words[i]))
			return i;
	return 3;
}

int cuCheckpointProcessGetRestoreThreadId(int pid, int *tid)
{
	int error = begin_call("thread");
	char text[64];

	if (error)
		return error;
	if (read_word(pid, "thread", text, sizeof(text)) < 0)
		return NOT_CUDA;
	*tid = atoi(text);
	return 0;
}

int cuCheckpointProcessGetState(int pid, int *state)
{
	int error = begin_call("state");

	*state = get_state(pid);
	return error ? error : *state < 0 ? NOT_CUDA : 0;
}

static int change_state(int pid, const char *word, int from, unsigned int limit_ms)
{
	int error = begin_call(word);

	if (error)
		return error;
	return get_state(pid) == from ? ask_thread(pid, word, limit_ms) : ILLEGAL_STATE;
}

struct lock_args {
	unsigned int timeout, reserved0;
	uint64_t reserved1[7];
};

int cuCheckpointProcessLock(int pid, struct lock_args *args)
{
	return change_state(pid, "lock", 0, args->timeout);
}

int cuCheckpointProcessCheckpoint(int pid, void *args)
{
	(void)args;
	return change_state(pid, "checkpoint", 1, 20000);
}

int cuCheckpointProcessRestore(int pid, void *args)
{
	(void)args;
	return change_state(pid, "restore", 2, 20000);
}

int cuCheckpointProcessUnlock(int pid, void *args)
{
	(void)args;
	return change_state(pid, "unlock", 1, 20000);
}

#endif
