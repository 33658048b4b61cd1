/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Mapped BPF maps: arrays (BPF_F_MMAPABLE) and ring buffers. All maps have one inode, so that of a mapping does not
 * tell which one it is; the kernel's memory does.
 */
#include "object/memory/bpf/bpf-mapped.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/types.h>

#include "base/fail.h"
#include "base/text.h"
#include "kern/proc/mapped-files.h"
#include "object/file/file.h"
#include "object/memory/memory.h"
#include "session/kernel-view.h"

/* Of the task that was asked for last. */
struct mapped_maps {
	pid_t pid;
	mapped_file_list list;
};

static void destroy_maps(void *state)
{
	struct mapped_maps *maps = state;

	vector_done(&maps->list);
}

static const struct state_type maps_state = { sizeof(struct mapped_maps), destroy_maps };

bool bpf_is_mapped(const struct mapping *mapping)
{
	return mapping->name && text_starts(mapping->name, "anon_inode:bpf-map");
}

static uint64_t find_file(const struct dump *d, const struct task *task, uint64_t start, const char **ret_why)
{
	struct mapped_maps *maps = state_get(d->states, &maps_state);

	if (maps->pid != task->pid) {
		int error = mapped_files_read(task->pid, &maps->list);

		maps->pid = error < 0 ? 0 : task->pid;
		*ret_why = error < 0 ? strerror(-error) : *ret_why;
	}
	for (size_t i = 0; maps->pid && i < maps->list.n; i++)
		if (maps->list.items[i].start == start)
			return maps->list.items[i].file;
	return 0;
}

/* The number of the map. */
static int find_map(const struct dump *d, const struct task *task, uint64_t start, uint32_t *ret)
{
	const char *why = NULL;
	struct kernel_view *view = kernel_view_get(d, &why);
	uint64_t file = view ? find_file(d, task, start, &why) : 0, map;

	if (kernel_view_read(view, file, "file", "private_data", &map, sizeof(map)) &&
	    kernel_view_read(view, map, "bpf_map", "id", ret, sizeof(*ret)))
		return 0;
	return refuse(EOPNOTSUPP,
		      "it maps a BPF map at %" PRIx64 ", and which one it is cannot be read from the kernel's memory "
		      "(%s; Linux 6.1, CAP_BPF and CAP_PERFMON): let the program unmap it",
		      start, why ?: "its structures are unknown");
}

int bpf_dump_mapping(const struct dump *d, const struct task *task, const struct mapping *mapping, VmaEntry *vma)
{
	uint32_t map, id;

	TRY(find_map(d, task, mapping->start, &map));
	vma->fdflags = mapping->vm_flags & VMF(MW) ? O_RDWR : O_RDONLY;
	if (!file_find_bpf_map(d, map, vma->fdflags == O_RDWR, &id))
		return refuse(EOPNOTSUPP,
			      "mapping %" PRIx64 "-%" PRIx64 " is BPF map %u, which no task has open%s: keep it open",
			      mapping->start, mapping->end, map,
			      vma->fdflags == O_RDWR ? " for reading and writing" : "");
	vma->has_fdflags = true;
	vma->shmid = id;
	vma->pgoff = mapping->pgoff;
	vma->status = VMA_REGULAR | VMA_FILE_SHARED;
	return 0;
}
