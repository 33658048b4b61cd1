/* SPDX-License-Identifier: GPL-2.0-only */
/* The table of all image files: from numbers to names and back. */
#include "image/table.h"

#include "image/image.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

#include "apparmor.pb-c.h"
#include "autofs.pb-c.h"
#include "binfmt-misc.pb-c.h"
#include "bpf-object.pb-c.h"
#include "bpfmap-data.pb-c.h"
#include "bpfmap-file.pb-c.h"
#include "cgroup.pb-c.h"
#include "core.pb-c.h"
#include "checksum.pb-c.h"
#include "cpuinfo.pb-c.h"
#include "creds.pb-c.h"
#include "fdinfo.pb-c.h"
#include "fh.pb-c.h"
#include "file-lock.pb-c.h"
#include "encryption.pb-c.h"
#include "fs.pb-c.h"
#include "fuse.pb-c.h"
#include "ghost-file.pb-c.h"
#include "inventory.pb-c.h"
#include "ipc-mqueue.pb-c.h"
#include "ipc-msg.pb-c.h"
#include "ipc-sem.pb-c.h"
#include "ipc-shm.pb-c.h"
#include "ipc-var.pb-c.h"
#include "memfd.pb-c.h"
#include "mm.pb-c.h"
#include "mnt.pb-c.h"
#include "netdev.pb-c.h"
#include "pagemap.pb-c.h"
#include "pidns.pb-c.h"
#include "pipe-data.pb-c.h"
#include "pstree.pb-c.h"
#include "remap-file-path.pb-c.h"
#include "seccomp.pb-c.h"
#include "siginfo.pb-c.h"
#include "sk-packet.pb-c.h"
#include "stats.pb-c.h"
#include "tcp-stream.pb-c.h"
#include "timens.pb-c.h"
#include "userns.pb-c.h"
#include "utsns.pb-c.h"

#define IMAGE2(id, file, crit, head, magic, shape, record, item)                                                \
	[IMAGE_##id] = {                                                                                        \
		file, crit, IMAGE_HEAD_##head, magic, SHAPE_##shape, &record##__descriptor, &item##__descriptor \
	},
#define IMAGE(id, file, crit, head, magic, shape, record) IMAGE2(id, file, crit, head, magic, shape, record, record)
#define RAW_IMAGE(id, name)				  [IMAGE_##id] = { .file = name },

static const struct image_kind kinds[] = {
#include "image/table.def"
};

const struct image_kind *image_kind(enum image_id id)
{
	return &kinds[id];
}

void image_print_name(enum image_id id, uint64_t number, char *to, size_t capacity)
{
	const char *file = kinds[id].file, *mark = strchr(file, '%');

	if (!mark)
		snprintf(to, capacity, "%s", file);
	else if (mark[1] == 'x')
		snprintf(to, capacity, "%.*s%" PRIx64 "%s", (int)(mark - file), file, number, mark + 2);
	else
		snprintf(to, capacity, "%.*s%" PRIu64 "%s", (int)(mark - file), file, number, mark + 2);
}

/* "core-12.img" with "core-%u.img" is 12. A number is written in one way only: no signs, no leading zeros. */
static int parse_number(const char *name, const char *file, uint64_t *ret)
{
	const char *mark = strchr(file, '%');
	size_t before, after, length = strlen(name);
	char digits[24], again[24];

	if (!mark) {
		*ret = 0;
		return strcmp(name, file) == 0 ? 0 : -ENOENT;
	}
	before = (size_t)(mark - file);
	after = strlen(mark + 2);
	if (length <= before + after || length - before - after >= sizeof(digits) || strncmp(name, file, before) != 0 ||
	    strcmp(name + length - after, mark + 2) != 0)
		return -ENOENT;
	snprintf(digits, sizeof(digits), "%.*s", (int)(length - before - after), name + before);
	if (text_to_u64(digits, mark[1] == 'x' ? 16 : 10, ret) < 0)
		return -ENOENT;
	snprintf(again, sizeof(again), mark[1] == 'x' ? "%" PRIx64 : "%" PRIu64, *ret);
	return strcmp(digits, again) == 0 ? 0 : -ENOENT;
}

int image_parse_name(const char *name, enum image_id *ret, uint64_t *ret_number)
{
	for (unsigned id = 0; id < IMAGE_COUNT; id++) {
		if (parse_number(name, kinds[id].file, ret_number) == 0) {
			*ret = id;
			return 0;
		}
	}
	return -ENOENT;
}

enum image_id image_find_magic(uint32_t magic)
{
	unsigned id = 0;

	while (id < IMAGE_COUNT && (!kinds[id].magic || kinds[id].magic != magic))
		id++;
	return id;
}

enum image_id image_find_crit(const char *crit)
{
	unsigned id = 0;

	while (id < IMAGE_COUNT && (!kinds[id].crit || strcmp(kinds[id].crit, crit) != 0))
		id++;
	return id;
}
