// SPDX-License-Identifier: LGPL-2.1-only
/*
 * A plugin for criu: descriptors of control devices. criu refuses a device that it does not know, for it cannot see
 * what the driver keeps for the program. Of the devices below we know that it is nothing: to open them again is enough.
 *
 * Build, with criu installed:	cc -shared -fPIC $(pkg-config --cflags criu) -o control-device.so control-device.c
 * Use:				criu dump    --libdir DIR ...	(DIR is where control-device.so lies)
 *				criu restore --libdir DIR ...
 * or copy it to the directory that "pkg-config --variable=plugindir criu" names; then no option is needed.
 */
#include <criu/criu-plugin.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define NAME "control-device"

static const char *const devices[] = { "/dev/loop-control", "/dev/btrfs-control" };

static bool named; /* in the inventory */

static int fail(const char *what)
{
	int error = errno;

	fprintf(stderr, NAME ": %s: %s\n", what, strerror(error));
	return -error;
}

static const char *find_device(const struct stat *wanted)
{
	struct stat st;

	for (size_t i = 0; i < sizeof(devices) / sizeof(*devices); i++)
		if (stat(devices[i], &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == wanted->st_rdev)
			return devices[i];
	return NULL;
}

/* What we save is one line of text in a file of our own beside the images. */
static FILE *open_image(int id, const char *mode)
{
	char name[64];
	int fd;

	snprintf(name, sizeof(name), NAME "-%d.img", id);
	fd = openat(criu_get_image_dir(), name,
		    mode[0] == 'w' ? O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC : O_RDONLY | O_CLOEXEC, 0600);
	return fd < 0 ? NULL : fdopen(fd, mode);
}

static int dump_file(int fd, int id)
{
	const char *path;
	struct stat st;
	FILE *image;
	int flags;

	if (fstat(fd, &st) < 0)
		return fail("fstat");
	path = S_ISCHR(st.st_mode) ? find_device(&st) : NULL;
	if (!path)
		return -EOPNOTSUPP;
	flags = fcntl(fd, F_GETFL);
	image = open_image(id, "w");
	if (!image)
		return fail("making an image");
	fprintf(image, "%s %o\n", path, (unsigned)flags);
	if (fclose(image))
		return fail("writing an image");
	/* Without us the restore shall not even begin. */
	if (!named && add_inventory_plugin(NAME) < 0)
		return -ENOMEM;
	named = true;
	return 0;
}

static int restore_file(int id)
{
	FILE *image = open_image(id, "r");
	char path[128];
	unsigned flags;
	int fields, fd;

	if (!image)
		return errno == ENOENT ? -EOPNOTSUPP : fail("opening an image"); /* it is another plugin's */
	fields = fscanf(image, "%127s %o", path, &flags);
	fclose(image);
	if (fields != 2) {
		fprintf(stderr, NAME ": the image of file %d is damaged\n", id);
		return -EINVAL;
	}
	fd = open(path, (int)flags | O_CLOEXEC);
	return fd < 0 ? fail(path) : fd;
}

static int init(int stage)
{
	named = false;
	if (stage == CR_PLUGIN_STAGE__RESTORE)
		(void)check_and_remove_inventory_plugin(NAME, sizeof(NAME) - 1);
	return 0;
}

static void end(int stage, int result)
{
	(void)stage;
	(void)result;
}

CR_PLUGIN_REGISTER(NAME, init, end)
CR_PLUGIN_REGISTER_HOOK(CR_PLUGIN_HOOK__DUMP_EXT_FILE, dump_file)
CR_PLUGIN_REGISTER_HOOK(CR_PLUGIN_HOOK__RESTORE_EXT_FILE, restore_file)
