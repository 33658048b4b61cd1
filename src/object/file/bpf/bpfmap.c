/* SPDX-License-Identifier: GPL-2.0-only */
/* Descriptors of BPF maps. */
#include <fcntl.h>
#include <linux/bpf.h>

#include "base/fail.h"
#include "base/table.h"
#include "kern/bpf.h"
#include "object/file/bpf/content.h"
#include "object/file/bpf/map.h"
#include "object/file/bpf/pins.h"
#include "object/file/file.h"

/* By map and access mode: the record of a descriptor. */
static void destroy_open(void *state)
{
	table_destroy(state);
}

static const struct state_type open_state = { sizeof(struct table *), destroy_open };

static uint64_t open_key(uint32_t map, uint32_t flags)
{
	return (uint64_t)map << 2 | (flags & O_ACCMODE);
}

bool file_find_bpf_map(const struct dump *d, uint32_t map, bool writable, uint32_t *ret_id)
{
	struct table *const *open = state_find(d->states, &open_state);
	const BpfmapFileEntry *record = open ? table_find(*open, open_key(map, O_RDWR)) : NULL;

	if (!record && open && !writable)
		record = table_find(*open, open_key(map, O_RDONLY));
	*ret_id = record ? record->id : 0;
	return record;
}

static int dump_bpfmap(const struct dump *d, const struct open_file *of, FileEntry *out)
{
	struct table **open = state_get(d->states, &open_state);
	BpfmapFileEntry *record = out->bpf;

	record->id = of->id;
	record->flags = of->flags;
	record->pos = of->pos;
	record->fown = of->owner;
	TRY(bpf_map_describe(d, of->fd, record));
	if (!*open)
		*open = table_create();
	(void)table_set(*open, open_key(record->map_id, record->flags), record);
	return 0;
}

static int drain_bpfmap(struct dump *d, const struct open_file *of)
{
	struct bpf_map_info info;

	TRY(bpf_map_read_info(of->fd, &info));
	return bpf_map_drain(d, info.id);
}

/* The names first: maps that only these or other maps refer to are drained now. */
static int write_bpfmaps(struct dump *d)
{
	TRY(bpf_pins_write(d));
	return bpf_maps_write(d);
}

static int prepare_bpfmaps(const struct restore *r)
{
	TRY(bpf_maps_prepare(r));
	return bpf_pins_prepare(r);
}

static int load_bpfmap(const struct restore *r, struct file *f)
{
	return bpf_map_load(r, f->entry->bpf);
}

/* A descriptor that may do what the program's could; the access mode does not belong to the map. */
static int create_bpfmap(struct restore *r, struct file *f)
{
	const BpfmapFileEntry *record = f->entry->bpf;
	uint32_t mode = record->flags & O_ACCMODE;
	struct bpf_map_info info;
	int fd;

	TRY(bpf_map_make(r, record->map_id, &fd));
	TRY(bpf_map_read_info(fd, &info));
	f->fd = bpf_open_map(info.id, mode == O_RDONLY ? BPF_F_RDONLY : mode == O_WRONLY ? BPF_F_WRONLY : 0);
	if (f->fd < 0)
		return fail(-f->fd, "opening the map");
	return file_apply_flags(f->fd, record->flags, record->fown);
}

static int clean_bpfmaps(struct restore *r)
{
	bpf_maps_done(r);
	return 0;
}

const struct file_kind bpfmap_kind = {
	.name = "bpfmap",
	.type = FD_TYPES__BPFMAP,
	.entry = offsetof(FileEntry, bpf),
	.anon_inode = "bpf-map",
	.dump = dump_bpfmap,
	.drain = drain_bpfmap,
	.write = write_bpfmaps,
	.prepare = prepare_bpfmaps,
	.load = load_bpfmap,
	.create = create_bpfmap,
	.clean = clean_bpfmaps,
};
