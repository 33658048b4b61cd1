// SPDX-License-Identifier: GPL-2.0-only
/*
 * A plugin for tests: writes every call of criu to the file $WITNESS, and answers as $WITNESS_ANSWERS says, a list such
 * as "PAUSE_DEVICES=-5 DUMP_EXT_FILE=crash". What is not in the list is not its own (-EOPNOTSUPP). With NAMED it puts
 * its name into the inventory.
 */
#include <criu/criu-plugin.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

#ifndef NAME
#define NAME "witness"
#endif

__attribute__((format(printf, 1, 2))) static void tell(const char *format, ...)
{
	FILE *file = fopen(getenv("WITNESS"), "a");
	va_list args;

	va_start(args, format);
	fprintf(file, "%s ", NAME);
	vfprintf(file, format, args);
	fprintf(file, "\n");
	va_end(args);
	fclose(file);
}

static int answer(const char *hook)
{
	const char *list = getenv("WITNESS_ANSWERS"), *found = list ? strstr(list, hook) : NULL;

	if (!found || found[strlen(hook)] != '=')
		return -EOPNOTSUPP;
	if (!strncmp(found + strlen(hook) + 1, "crash", 5))
		raise(SIGSEGV);
	return atoi(found + strlen(hook) + 1);
}

static int dump_socket(int fd, int id)
{
	struct stat st = { 0 };

	fstat(fd, &st);
	tell("DUMP_UNIX_SK same-inode=%d socket=%d", st.st_ino == (ino_t)id, S_ISSOCK(st.st_mode));
	return answer("DUMP_UNIX_SK");
}

/* A new connection to the server. */
static int restore_socket(int id)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd, result = answer("RESTORE_UNIX_SK");

	(void)id;
	tell("RESTORE_UNIX_SK");
	if (result < 0)
		return result;
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", getenv("WITNESS_SERVER"));
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	return fd;
}

static int dump_file(int fd, int id)
{
	struct stat st;

	fstat(fd, &st);
	tell("DUMP_EXT_FILE id=%s %u:%u", id > 0 ? "positive" : "wrong", major(st.st_rdev), minor(st.st_rdev));
	return answer("DUMP_EXT_FILE");
}

/* With LATER: every file wants to be asked for that many times. */
static int restore_file(int id, bool *again)
{
	static int times[1000];
	int result = answer("RESTORE_EXT_FILE"), later = answer("LATER");

	tell("RESTORE_EXT_FILE id=%s%s", id > 0 ? "positive" : "wrong", *again ? " again is set" : "");
	if (later > 0 && id < 1000 && ++times[id] <= later) {
		*again = true;
		return -EIO;
	}
	return result < 0 ? result : open("/dev/loop-control", O_RDWR);
}

static int dump_mount(char *mountpoint, int id)
{
	tell("DUMP_EXT_MOUNT %s id=%s", strrchr(mountpoint, '/'),
	     id > 0 && mountpoint[0] == '.' ? "positive" : "wrong");
	return answer("DUMP_EXT_MOUNT");
}

static int restore_mount(int id, char *mountpoint, char *old_root, int *is_file)
{
	char path[512];
	int fd;

	tell("RESTORE_EXT_MOUNT id=%s root=%s is_file=%d", id > 0 ? "positive" : "wrong", old_root, is_file != NULL);
	if (answer("RESTORE_EXT_MOUNT") < 0)
		return answer("RESTORE_EXT_MOUNT");
	snprintf(path, sizeof(path), "%s/mark", mountpoint);
	if (mount("plugin", mountpoint, "ramfs", 0, NULL) < 0)
		return -errno;
	fd = open(path, O_WRONLY | O_CREAT, 0600);
	if (write(fd, "from the plugin", 15) != 15)
		return -errno;
	return close(fd);
}

static int handle_mapping(int fd, const struct stat *stat)
{
	struct stat st;

	tell("HANDLE_DEVICE_VMA %u:%u same=%d", major(stat->st_rdev), minor(stat->st_rdev),
	     fstat(fd, &st) == 0 && st.st_rdev == stat->st_rdev);
	return answer("HANDLE_DEVICE_VMA");
}

/* Something else lies there after the restore: the second page of a memfd. */
static int update_mapping(const char *path, const uint64_t address, const uint64_t old_offset, uint64_t *new_offset,
			  int *fd)
{
	tell("UPDATE_VMA_MAP %s page=%d offset=%llu", path, address % 4096 == 0, (unsigned long long)old_offset);
	if (answer("UPDATE_VMA_MAP") != 1)
		return answer("UPDATE_VMA_MAP");
	*fd = memfd_create("stand-in", 0);
	*new_offset = 4096;
	return pwrite(*fd, "from the plugin", 16, 4096) == 16 && ftruncate(*fd, 8192) == 0 ? 1 : -errno;
}

static char state_of(int pid)
{
	char path[64], text[512] = "", *end;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	file = fopen(path, "r");
	if (!file)
		return '?';
	end = fgets(text, sizeof(text), file) ? strrchr(text, ')') : NULL;
	fclose(file);
	return end && end[2] == 'S' ? 'R' : end ? end[2] : '?'; /* asleep or running: it can run */
}

#define FOR_TASK(function, hook)                                   \
	static int function(int pid)                               \
	{                                                          \
		tell(hook " pid=%d state=%c", pid, state_of(pid)); \
		return answer(hook);                               \
	}

FOR_TASK(resume, "RESUME_DEVICES_LATE")
FOR_TASK(pause_devices, "PAUSE_DEVICES")
FOR_TASK(checkpoint, "CHECKPOINT_DEVICES")
FOR_TASK(dump_late, "DUMP_DEVICES_LATE")

static int post_forking(void)
{
	tell("POST_FORKING");
	return answer("POST_FORKING");
}

static int restore_init(void)
{
	tell("RESTORE_INIT");
	return answer("RESTORE_INIT");
}

static int init(int stage)
{
	struct stat st;
	int result = 0;

	if (stage == CR_PLUGIN_STAGE__RESTORE)
		result = check_and_remove_inventory_plugin(NAME, strlen(NAME));
#ifdef NAMED
	else
		add_inventory_plugin(NAME);
#endif
	tell("init stage=%d named=%d images=%d", stage, result,
	     fstat(criu_get_image_dir(), &st) == 0 && S_ISDIR(st.st_mode));
	result = answer("init");
	return result == -EOPNOTSUPP ? 0 : result;
}

static void end(int stage, int ret)
{
	tell("exit stage=%d ret=%s", stage, ret < 0 ? "negative" : ret ? "positive" : "0");
}

CR_PLUGIN_REGISTER(NAME, init, end)
CR_PLUGIN_REGISTER_HOOK(CR_PLUGIN_HOOK__DUMP_UNIX_SK, dump_socket)
CR_PLUGIN_REGISTER_HOOK(CR_PLUGIN_HOOK__RESTORE_UNIX_SK, restore_socket)
CR_PLUGIN_REGISTER_HOOK(CR_PLUGIN_HOOK__DUMP_EXT_FILE, dump_file)
CR_PLUGIN_REGISTER_HOOK(CR_PLUGIN_HOOK__RESTORE_EXT_FILE, restore_file)
CR_PLUGIN_REGISTER_HOOK(CR_PLUGIN_HOOK__DUMP_EXT_MOUNT, dump_mount)
CR_PLUGIN_REGISTER_HOOK(CR_PLUGIN_HOOK__RESTORE_EXT_MOUNT, restore_mount)
CR_PLUGIN_REGISTER_HOOK(CR_PLUGIN_HOOK__HANDLE_DEVICE_VMA, handle_mapping)
CR_PLUGIN_REGISTER_HOOK(CR_PLUGIN_HOOK__UPDATE_VMA_MAP, update_mapping)
CR_PLUGIN_REGISTER_HOOK(CR_PLUGIN_HOOK__RESUME_DEVICES_LATE, resume)
CR_PLUGIN_REGISTER_HOOK(CR_PLUGIN_HOOK__PAUSE_DEVICES, pause_devices)
CR_PLUGIN_REGISTER_HOOK(CR_PLUGIN_HOOK__CHECKPOINT_DEVICES, checkpoint)
CR_PLUGIN_REGISTER_HOOK(CR_PLUGIN_HOOK__POST_FORKING, post_forking)
CR_PLUGIN_REGISTER_HOOK(CR_PLUGIN_HOOK__RESTORE_INIT, restore_init)
CR_PLUGIN_REGISTER_HOOK(CR_PLUGIN_HOOK__DUMP_DEVICES_LATE, dump_late)
