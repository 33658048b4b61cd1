/* SPDX-License-Identifier: GPL-2.0-only */
/* BPF maps: arrays and hashes with their content. */
#include <fcntl.h>
#include <linux/bpf.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/buffer.h"
#include "base/fail.h"
#include "base/log.h"
#include "base/table.h"
#include "bpfmap-data.pb-c.h"
#include "image/image.h"
#include "image/payload.h"
#include "image/record.h"
#include "kern/bpf.h"
#include "object/file/file.h"

const struct file_kind bpfmap_kind;

#define MAP_SIZE_MAX (1u << 30) /* bytes of keys or values */
#define ELEMENT_MAX  (1u << 20)

/* --- dump --- */

struct bpfmap_dump {
	struct image *image;
	struct table *done; /* map ids */
};

static void destroy_dump(void *state)
{
	struct bpfmap_dump *dump = state;

	table_destroy(&dump->done);
	image_close(&dump->image);
}

static const struct state_type bpfmap_dump_state = { sizeof(struct bpfmap_dump), destroy_dump };

static struct bpfmap_dump *get_dump(const struct dump *d)
{
	struct bpfmap_dump *dump = state_get(d->states, &bpfmap_dump_state);

	if (!dump->done)
		dump->done = table_create();
	return dump;
}

static int read_info(int fd, struct bpf_map_info *info)
{
	union bpf_attr attr = { 0 };

	memset(info, 0, sizeof(*info));
	attr.info.bpf_fd = (uint32_t)fd;
	attr.info.info_len = sizeof(*info);
	attr.info.info = (uint64_t)(uintptr_t)info;
	return bpf_call(BPF_OBJ_GET_INFO_BY_FD, &attr) < 0 ? fail_errno("asking what the map is") : 0;
}

static int dump_bpfmap(const struct dump *d, const struct open_file *of, FileEntry *out)
{
	BpfmapFileEntry *record = out->bpf;
	struct bpf_map_info info;
	uint64_t frozen;

	TRY(read_info(of->fd, &info));
	if (info.type != BPF_MAP_TYPE_HASH && info.type != BPF_MAP_TYPE_ARRAY)
		return refuse(EOPNOTSUPP, "BPF map \"%s\" is of type %u: only arrays and hashes can be saved",
			      info.name, info.type);
	record->id = of->id;
	record->flags = of->flags;
	record->pos = of->pos;
	record->fown = of->owner;
	record->map_type = info.type;
	record->key_size = info.key_size;
	record->value_size = info.value_size;
	record->map_id = info.id;
	record->max_entries = info.max_entries;
	record->map_flags = info.map_flags;
	TRY(fdinfo_get_u64(of->fdinfo, "memlock", 10, &record->memlock));
	TRY(fdinfo_get_u64(of->fdinfo, "frozen", 10, &frozen));
	record->frozen = frozen;
	record->map_name = pool_string(d->pool, info.name);
	record->ifindex = info.ifindex;
	record->has_map_extra = true;
	record->map_extra = info.map_extra;
	return 0;
}

static int read_elements(int fd, const struct bpf_map_info *info, struct buffer *keys, struct buffer *values,
			 uint32_t *n)
{
	AUTO_FREE uint8_t *key = xzalloc(info->key_size), *next = xzalloc(info->key_size),
			  *value = xzalloc(info->value_size);
	union bpf_attr attr = { .map_fd = (uint32_t)fd };

	for (*n = 0;; ++*n) {
		attr.key = *n ? (uint64_t)(uintptr_t)key : 0;
		attr.next_key = (uint64_t)(uintptr_t)next;
		if (bpf_call(BPF_MAP_GET_NEXT_KEY, &attr) < 0)
			return errno == ENOENT ? 0 : fail_errno("reading the keys of the map");
		attr.key = (uint64_t)(uintptr_t)next;
		attr.value = (uint64_t)(uintptr_t)value;
		if (bpf_call(BPF_MAP_LOOKUP_ELEM, &attr) < 0)
			return fail_errno("reading a value of the map");
		buffer_append(keys, next, info->key_size);
		buffer_append(values, value, info->value_size);
		memcpy(key, next, info->key_size);
		attr.flags = 0;
	}
}

static int drain_bpfmap(struct dump *d, const struct open_file *of)
{
	struct bpfmap_dump *dump = get_dump(d);
	AUTO(buffer_done) struct buffer keys = { 0 }, values = { 0 };
	BpfmapDataEntry record = BPFMAP_DATA_ENTRY__INIT;
	union bpf_attr attr = { 0 };
	AUTO_CLOSE int fd = -1;
	struct bpf_map_info info;

	TRY(read_info(of->fd, &info));
	if (table_set(dump->done, info.id, dump))
		return 0;
	/* The program's descriptor may be for writing only. */
	attr.map_id = info.id;
	fd = bpf_call(BPF_MAP_GET_FD_BY_ID, &attr);
	if (fd < 0)
		return fail_errno("opening map %u", info.id);
	TRY(read_elements(fd, &info, &keys, &values, &record.count));
	if (keys.size > MAP_SIZE_MAX || values.size > MAP_SIZE_MAX)
		return refuse(EFBIG, "BPF map \"%s\" is too large", info.name);
	record.map_id = info.id;
	record.keys_bytes = (uint32_t)keys.size;
	record.values_bytes = (uint32_t)values.size;
	if (!dump->image)
		TRY(image_create(dump_store(d), &dump->image, IMAGE_BPFMAP_DATA));
	TRY(image_write(dump->image, &record));
	TRY(image_write_bytes(dump->image, keys.data, keys.size));
	return image_write_bytes(dump->image, values.data, values.size);
}

static int write_bpfmaps(struct dump *d)
{
	struct bpfmap_dump *dump = get_dump(d);

	return dump->image ? image_finish(&dump->image) : 0;
}

/* --- restore --- */

struct bpfmap_data {
	const BpfmapDataEntry *record;
	uint8_t *bytes;	 /* keys, then values */
	uint32_t new_id; /* of the kernel, once it is made */
	int fd;		 /* keeps it until the end */
};

static void destroy_maps(void *state)
{
	struct table **maps = state;
	struct bpfmap_data *data;
	size_t cursor = 0;

	while (*maps && (data = table_next(*maps, &cursor)))
		if (data->fd >= 0)
			close(TAKE_FD(data->fd));
	table_destroy(maps);
}

static const struct state_type bpfmaps_state = { sizeof(struct table *), destroy_maps };

static struct table **get_maps(const struct restore *r)
{
	struct table **maps = state_get(r->states, &bpfmaps_state);

	if (!*maps)
		*maps = table_create();
	return maps;
}

static int prepare_bpfmaps(const struct restore *r)
{
	AUTO(image_close) struct image *image = NULL;
	BpfmapDataEntry *record;
	int more = image_open(r->store, &image, IMAGE_BPFMAP_DATA);

	if (more == -ENOENT)
		return 0;
	TRY(more);
	while ((more = image_read(image, &record)) > 0) {
		struct bpfmap_data *data = pool_new(r->pool, struct bpfmap_data);
		size_t size;

		data->record = record;
		data->fd = -1;
		TRY(image_read_payload(image, (void **)&data->bytes, &size));
		if (size != (uint64_t)record->keys_bytes + record->values_bytes)
			return image_refuse(image, "map %u: keys or values are missing", record->map_id);
		table_set(*get_maps(r), record->map_id, data);
	}
	return more;
}

static int load_bpfmap(const struct restore *r, struct file *f)
{
	const BpfmapFileEntry *record = f->entry->bpf;
	struct bpfmap_data *data = f->data = table_find(*get_maps(r), record->map_id);

	if (!data)
		return refuse(EINVAL, "bpfmap-data.img: map %u is missing", record->map_id);
	if (!record->key_size || !record->value_size || record->key_size > ELEMENT_MAX ||
	    record->value_size > ELEMENT_MAX ||
	    (uint64_t)record->key_size * data->record->count != data->record->keys_bytes ||
	    (uint64_t)record->value_size * data->record->count != data->record->values_bytes)
		return refuse(EINVAL, "bpfmap-data.img: the sizes of map %u do not fit together", record->map_id);
	return 0;
}

static int fill_map(int fd, const BpfmapFileEntry *record, const struct bpfmap_data *data)
{
	const uint8_t *key = data->bytes, *value = data->bytes + data->record->keys_bytes;
	union bpf_attr attr = { .map_fd = (uint32_t)fd };

	for (uint32_t i = 0; i < data->record->count; i++, key += record->key_size, value += record->value_size) {
		attr.key = (uint64_t)(uintptr_t)key;
		attr.value = (uint64_t)(uintptr_t)value;
		if (bpf_call(BPF_MAP_UPDATE_ELEM, &attr) < 0)
			return fail_errno("setting element %u of the map", i);
	}
	return 0;
}

/* A descriptor that may do what the program's could; the access mode does not belong to the map. */
static int open_map(const BpfmapFileEntry *record, uint32_t id, int *ret_fd)
{
	union bpf_attr attr = { 0 };
	uint32_t mode = record->flags & O_ACCMODE;

	attr.map_id = id;
	attr.open_flags = mode == O_RDONLY ? BPF_F_RDONLY : mode == O_WRONLY ? BPF_F_WRONLY : 0;
	*ret_fd = bpf_call(BPF_MAP_GET_FD_BY_ID, &attr);
	return *ret_fd < 0 ? fail_errno("opening the map") : 0;
}

static int make_map(const BpfmapFileEntry *record, struct bpfmap_data *data)
{
	union bpf_attr attr = { .map_type = record->map_type,
				.key_size = record->key_size,
				.value_size = record->value_size,
				.max_entries = record->max_entries,
				.map_flags = record->map_flags & ~(uint32_t)(BPF_F_RDONLY | BPF_F_WRONLY),
				.map_ifindex = record->ifindex };
	union bpf_attr freeze = { 0 };
	AUTO_CLOSE int fd = -1;
	struct bpf_map_info info;

	attr.map_extra = record->map_extra;
	strncpy(attr.map_name, record->map_name, sizeof(attr.map_name) - 1);
	fd = bpf_call(BPF_MAP_CREATE, &attr);
	if (fd < 0)
		return fail_errno("making the map");
	TRY(fill_map(fd, record, data));
	freeze.map_fd = (uint32_t)fd;
	if (record->frozen && bpf_call(BPF_MAP_FREEZE, &freeze) < 0)
		return fail_errno("freezing the map");
	TRY(read_info(fd, &info));
	data->new_id = info.id;
	data->fd = TAKE_FD(fd);
	return 0;
}

static int create_bpfmap(struct restore *r, struct file *f)
{
	const BpfmapFileEntry *record = f->entry->bpf;
	struct bpfmap_data *data = f->data;

	if (!data->new_id)
		TRY(make_map(record, data));
	TRY(open_map(record, data->new_id, &f->fd));
	return file_apply_flags(f->fd, record->flags, record->fown);
}

static int clean_bpfmaps(struct restore *r)
{
	state_destroy(r->states, &bpfmaps_state);
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
