/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Programs that use CUDA. The driver itself moves the memory of the GPU to that of the program and closes its devices,
 * and takes all of it back: this plugin only tells it when. It does nothing for a tree that has no /dev/nvidia* open.
 *
 *	dump:		lock (the program runs), [all stop], checkpoint, [saved as any other program]
 *	restore:	[restored], restore, unlock
 *
 * The driver works by a thread of the program, which must run meanwhile.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "criu-plugin.h"
#include "driver.h"

#define NAME "cuda_plugin"

struct process {
	struct process *next;
	int pid, pidfd, tid;
	enum cuda_process_state first; /* before we touched it */
};

static struct {
	bool off, is_named;
	struct process *all;
} plugin;

#define complain(...) criu_plugin_log(CRIU_PLUGIN_LOG_ERROR, __VA_ARGS__)

/* --- who uses a GPU --- */

/* Descriptors alone tell: what is mapped has been opened. */
static bool has_device(int pid, char *ret_path, size_t capacity)
{
	char path[64], link[300];
	struct dirent *entry;
	bool found = false;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	dir = opendir(path);
	while (dir && !found && (entry = readdir(dir))) {
		ssize_t n = readlinkat(dirfd(dir), entry->d_name, link, sizeof(link) - 1);

		if (n < 0)
			continue;
		link[n] = '\0';
		found = !strncmp(link, "/dev/nvidia", 11);
	}
	if (dir)
		closedir(dir);
	if (found)
		snprintf(ret_path, capacity, "%s", link);
	return found;
}

static bool has_library(int pid)
{
	char path[64], line[1024];
	bool found = false;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	file = fopen(path, "re");
	while (file && !found && fgets(line, sizeof(line), file))
		found = strstr(line, "/libcuda.so") != NULL;
	if (file)
		fclose(file);
	return found;
}

static bool machine_has_device(void)
{
	DIR *dir = opendir("/dev");
	struct dirent *entry;
	bool found = false;

	while (dir && !found && (entry = readdir(dir)))
		found = !strncmp(entry->d_name, "nvidia", 6);
	if (dir)
		closedir(dir);
	return found;
}

static bool is_dead(const struct process *process)
{
	struct pollfd ask = { .fd = process->pidfd, .events = POLLIN };

	return poll(&ask, 1, 0) == 1;
}

static char state_of(int pid)
{
	char path[64], text[512] = "", *end;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	file = fopen(path, "re");
	end = file && fgets(text, sizeof(text), file) ? strrchr(text, ')') : NULL;
	if (file)
		fclose(file);
	return end && end[1] ? end[2] : '?';
}

/* --- the driver --- */

/* Returns -errno after it has told why. */
static int ask_driver(enum driver_action action, int pid, int *ret_value)
{
	struct driver_reply reply;
	int error = driver_call(action, pid, criu_plugin_timeout(), &reply);

	if (!error && !reply.error && reply.is_there) {
		if (ret_value)
			*ret_value = reply.value;
		return 0;
	}
	complain("process %d: %s", pid, reply.text);
	return error ? error : reply.error == CUDA_ERROR_NOT_READY ? -ETIMEDOUT : -EIO;
}

/* With the thread of the program that does the work. */
static int ask_with_thread(const struct process *process, const enum driver_action *actions, size_t n)
{
	int error = criu_plugin_run_thread(process->tid), stopped;

	for (size_t i = 0; !error && i < n; i++)
		error = ask_driver(actions[i], process->pid, NULL);
	stopped = criu_plugin_stop_thread(process->tid);
	return error ? error : stopped;
}

/* --- dump --- */

/* 0, -errno, or -EOPNOTSUPP: it has a device for another purpose, for its display perhaps. */
static int look_at(int pid, const char *device, struct process *ret)
{
	struct driver_reply reply;
	int error = driver_call(DRIVER_GET_THREAD, pid, criu_plugin_timeout(), &reply), state;

	if (!error && !reply.is_there) {
		complain("process %d uses %s, and the driver that could save its state cannot be asked (%s): install "
			 "NVIDIA's driver where criu runs, or end what uses the GPU",
			 pid, device, reply.text);
		return -ENODEV;
	}
	if (error) {
		complain("process %d: %s", pid, reply.text);
		return error;
	}
	if (reply.error) {
		criu_plugin_log(CRIU_PLUGIN_LOG_INFO, "process %d uses %s, but not CUDA: %s", pid, device, reply.text);
		return -EOPNOTSUPP;
	}
	ret->pid = pid;
	ret->tid = reply.value;
	error = ask_driver(DRIVER_GET_STATE, pid, &state);
	ret->first = (enum cuda_process_state)state;
	return error;
}

static struct process *remember(const struct process *process)
{
	struct process *kept = malloc(sizeof(*kept));

	if (!kept)
		return NULL;
	*kept = *process;
	kept->pidfd = (int)syscall(SYS_pidfd_open, process->pid, 0);
	kept->next = plugin.all;
	plugin.all = kept;
	return kept;
}

static int pause_devices(int pid)
{
	struct process process = { 0 };
	char device[300];
	int error;

	if (plugin.off || !has_device(pid, device, sizeof(device)))
		return -EOPNOTSUPP;
	error = look_at(pid, device, &process);
	if (error)
		return error;
	if (process.first == CU_PROCESS_STATE_FAILED) {
		complain("process %d: the driver says that a checkpoint or restore of it has failed before: end it",
			 pid);
		return -EIO;
	}
	if (!remember(&process))
		return -ENOMEM;
	if (process.first != CU_PROCESS_STATE_RUNNING)
		return 0;
	error = ask_driver(DRIVER_LOCK, pid, NULL);
	if (!error)
		criu_plugin_log(CRIU_PLUGIN_LOG_INFO, "process %d: its use of the GPU is locked", pid);
	return error;
}

static const struct process *find_process(int pid)
{
	for (const struct process *process = plugin.all; process; process = process->next)
		if (process->pid == pid)
			return process;
	return NULL;
}

static int checkpoint_devices(int pid)
{
	const enum driver_action checkpoint = DRIVER_CHECKPOINT;
	const struct process *process = find_process(pid);

	if (plugin.off || !process)
		return -EOPNOTSUPP;
	if (!plugin.is_named) {
		plugin.is_named = true;
		if (add_inventory_plugin(NAME) < 0)
			return -EIO;
	}
	return process->first == CU_PROCESS_STATE_CHECKPOINTED ? 0 : ask_with_thread(process, &checkpoint, 1);
}

/* As it was before the dump. It runs. */
static int bring_back(const struct process *process)
{
	int state, error = ask_driver(DRIVER_GET_STATE, process->pid, &state);

	if (!error && state == CU_PROCESS_STATE_CHECKPOINTED && process->first != CU_PROCESS_STATE_CHECKPOINTED) {
		error = ask_driver(DRIVER_RESTORE, process->pid, NULL);
		state = CU_PROCESS_STATE_LOCKED;
	}
	if (!error && state == CU_PROCESS_STATE_LOCKED && process->first == CU_PROCESS_STATE_RUNNING)
		error = ask_driver(DRIVER_UNLOCK, process->pid, NULL);
	return error;
}

static void end_dump(void)
{
	while (plugin.all) {
		struct process *process = plugin.all;

		plugin.all = process->next;
		if (!is_dead(process) && state_of(process->pid) == 'T')
			criu_plugin_log(
				CRIU_PLUGIN_LOG_WARNING,
				"process %d is stopped, so its GPU cannot be given back: after SIGCONT do it by "
				"cuda-checkpoint --toggle --pid %d",
				process->pid, process->pid);
		else if (!is_dead(process))
			(void)bring_back(process);
		if (process->pidfd >= 0)
			close(process->pidfd);
		free(process);
	}
}

/* --- restore --- */

static int resume_devices(int pid)
{
	const enum driver_action actions[] = { DRIVER_RESTORE, DRIVER_UNLOCK };
	struct process process = { 0 };
	int error;

	if (plugin.off || !has_library(pid))
		return -EOPNOTSUPP;
	error = look_at(pid, "CUDA", &process);
	if (error)
		return error;
	if (process.first == CU_PROCESS_STATE_RUNNING)
		return 0;
	return process.first == CU_PROCESS_STATE_CHECKPOINTED ? ask_with_thread(&process, actions, 2)
							      : ask_with_thread(&process, actions + 1, 1);
}

/* --- */

/* Images that name no plugins at all say yes each time. */
static bool is_wanted(void)
{
	return check_and_remove_inventory_plugin(NAME, strlen(NAME)) &&
	       !check_and_remove_inventory_plugin(NAME, strlen(NAME));
}

static int begin(int stage)
{
	struct driver_reply reply;
	int error;

	plugin.off = stage == CR_PLUGIN_STAGE__PRE_DUMP ||
		     (stage == CR_PLUGIN_STAGE__RESTORE ? !is_wanted() : !machine_has_device());
	if (plugin.off || stage != CR_PLUGIN_STAGE__RESTORE)
		return 0;
	error = driver_call(DRIVER_FIND, 0, criu_plugin_timeout(), &reply);
	if (!error && reply.is_there)
		return 0;
	complain("the checkpoint has programs that use CUDA, and the driver cannot be asked here (%s)", reply.text);
	return error ? error : -ENODEV;
}

static void end(int stage, int ret)
{
	(void)ret;
	if (stage == CR_PLUGIN_STAGE__DUMP)
		end_dump();
}

CR_PLUGIN_REGISTER(NAME, begin, end)
CR_PLUGIN_REGISTER_HOOK(CR_PLUGIN_HOOK__PAUSE_DEVICES, pause_devices)
CR_PLUGIN_REGISTER_HOOK(CR_PLUGIN_HOOK__CHECKPOINT_DEVICES, checkpoint_devices)
CR_PLUGIN_REGISTER_HOOK(CR_PLUGIN_HOOK__RESUME_DEVICES_LATE, resume_devices)
