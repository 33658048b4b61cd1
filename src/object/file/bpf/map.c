/* SPDX-License-Identifier: GPL-2.0-only */
/* BPF maps as objects. */
#include "object/file/bpf/map.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/buffer.h"
#include "base/fail.h"
#include "base/log.h"
#include "base/table.h"
#include "base/vector.h"
#include "bpfmap-data.pb-c.h"
#include "image/image.h"
#include "image/payload.h"
#include "image/record.h"
#include "kern/bpf.h"
#include "kern/proc/fdinfo.h"
#include "object/file/bpf/content.h"
#include "object/file/bpf/ring.h"
#include "session/loss.h"

#define MAP_SIZE_MAX (1u << 30) /* bytes of keys or values */
#define ELEMENT_MAX  (1u << 20)

/* --- dump --- */

struct maps_dump {
	struct image *data;
	struct table *drained, *known, *told; /* by map id */
	VECTOR(BpfmapFileEntry *) noted;
};

static void destroy_dump(void *state)
{
	struct maps_dump *dump = state;

	table_destroy(&dump->drained);
	table_destroy(&dump->known);
	table_destroy(&dump->told);
	vector_done(&dump->noted);
	image_close(&dump->data);
}

static const struct state_type maps_dump_state = { sizeof(struct maps_dump), destroy_dump };

static struct maps_dump *get_dump(const struct dump *d)
{
	struct maps_dump *dump = state_get(d->states, &maps_dump_state);

	if (!dump->drained) {
		dump->drained = table_create();
		dump->known = table_create();
		dump->told = table_create();
	}
	return dump;
}

int bpf_map_read_info(int fd, struct bpf_map_info *info)
{
	union bpf_attr attr = { 0 };
	int error;

	memset(info, 0, sizeof(*info));
	attr.info.bpf_fd = (uint32_t)fd;
	attr.info.info_len = sizeof(*info);
	attr.info.info = (uint64_t)(uintptr_t)info;
	error = bpf_call(BPF_OBJ_GET_INFO_BY_FD, &attr);
	return error < 0 ? fail(-error, "asking what the BPF map is") : 0;
}

static int for_inner(const struct buffer *values, int (*run)(void *arg, int fd), void *arg)
{
	const uint32_t *ids = (const uint32_t *)values->data;

	for (size_t i = 0; i < values->size / sizeof(*ids); i++) {
		AUTO_CLOSE int fd = bpf_open_map(ids[i], 0);

		if (fd < 0)
			return fail(-fd, "opening BPF map %u", ids[i]);
		TRY(run(arg, fd));
	}
	return 0;
}

static int note_one(void *arg, int fd)
{
	const struct dump *const *d = arg;
	uint32_t id;

	return bpf_map_note(*d, fd, &id);
}

static int note_inner(const struct dump *d, int fd, const struct bpf_map_info *info)
{
	AUTO(buffer_done) struct buffer keys = { 0 }, values = { 0 };
	uint32_t n;

	TRY(bpf_read_content(fd, info, &keys, &values, &n));
	if (!n)
		return refuse(EOPNOTSUPP,
			      "BPF map \"%s\" is an empty %s: the kernel does not tell which maps may be put into it; "
			      "put one in, or close it",
			      info->name, bpf_type_name(info->type));
	return for_inner(&values, note_one, &d);
}

/* What can only be seen in its content. */
static int check_content(const struct dump *d, const struct bpf_map_info *info, bool frozen)
{
	enum bpf_content content = bpf_content_of(info->type);
	AUTO_CLOSE int fd = bpf_open_map(info->id, 0);

	if (fd < 0)
		return fail(-fd, "opening BPF map %u", info->id);
	if (content == BPF_CONTENT_RING)
		return bpf_ring_check(fd, info);
	if ((content == BPF_CONTENT_QUEUE || content == BPF_CONTENT_STACK) && frozen && bpf_queue_is_used(fd, info))
		return refuse(EOPNOTSUPP,
			      "BPF map \"%s\" is a frozen %s with content, which the kernel shows to nobody: it cannot "
			      "be saved",
			      info->name, bpf_type_name(info->type));
	return content == BPF_CONTENT_MAPS ? note_inner(d, fd, info) : 0;
}

static int check_map(const struct dump *d, const struct bpf_map_info *info, bool frozen)
{
	if (bpf_content_of(info->type) == BPF_CONTENT_NONE)
		return refuse(EOPNOTSUPP,
			      "BPF map \"%s\" is a %s (type %u): only arrays, hashes, LPM tries, queues, stacks, "
			      "ring buffers and maps of those can be saved",
			      info->name, bpf_type_name(info->type), info->type);
	if (info->ifindex)
		return refuse(EOPNOTSUPP, "BPF map \"%s\" is in the memory of a network device: it cannot be saved",
			      info->name);
	if ((info->btf_id || info->map_flags & BPF_F_NUMA_NODE) &&
	    !table_set(get_dump(d)->told, info->id, get_dump(d))) {
		if (info->btf_id)
			dump_report_loss(d, "the type information (BTF) of BPF map \"%s\"", info->name);
		if (info->map_flags & BPF_F_NUMA_NODE)
			dump_report_loss(d, "the NUMA node of BPF map \"%s\"", info->name);
	}
	return check_content(d, info, frozen);
}

/* Of a descriptor of ours. */
static int read_fdinfo(int fd, uint64_t *ret_memlock, bool *ret_frozen)
{
	struct fdinfo own = { .dir = -1, .own_file = -1 };
	uint64_t frozen = 0;
	int self = open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC), error;

	if (self < 0)
		return fail_errno("opening /proc/self");
	error = fdinfo_open(&own, self);
	if (error == 0)
		error = fdinfo_read(&own, fd);
	if (error == 0)
		error = fdinfo_get_u64(&own, "memlock", 10, ret_memlock);
	if (error == 0)
		error = fdinfo_get_u64(&own, "frozen", 10, &frozen);
	*ret_frozen = frozen;
	fdinfo_done(&own);
	close(self);
	return error;
}

int bpf_map_describe(const struct dump *d, int fd, BpfmapFileEntry *record)
{
	struct bpf_map_info info;
	uint64_t memlock = 0;
	bool frozen = false;

	TRY(bpf_map_read_info(fd, &info));
	TRY(read_fdinfo(fd, &memlock, &frozen));
	TRY(check_map(d, &info, frozen));
	(void)table_set(get_dump(d)->known, info.id, record);
	record->map_type = info.type;
	record->key_size = info.key_size;
	record->value_size = info.value_size;
	record->map_id = info.id;
	record->max_entries = info.max_entries;
	record->map_flags = info.map_flags & ~(uint32_t)BPF_F_NUMA_NODE;
	record->memlock = memlock;
	record->frozen = frozen;
	record->map_name = pool_string(d->pool, info.name);
	record->ifindex = info.ifindex;
	record->has_map_extra = true;
	record->map_extra = info.map_extra;
	return 0;
}

int bpf_map_note(const struct dump *d, int fd, uint32_t *ret_id)
{
	struct maps_dump *dump = get_dump(d);
	BpfmapFileEntry *record;
	struct bpf_map_info info;

	TRY(bpf_map_read_info(fd, &info));
	*ret_id = info.id;
	if (table_find(dump->known, info.id))
		return 0;
	record = pool_new(d->pool, BpfmapFileEntry);
	bpfmap_file_entry__init(record);
	record->fown = pool_new(d->pool, FownEntry);
	fown_entry__init(record->fown);
	record->flags = O_RDWR;
	TRY(bpf_map_describe(d, fd, record));
	*vector_push(&dump->noted) = record;
	return 0;
}

BpfmapFileEntry *const *bpf_maps_noted(const struct dump *d, size_t *ret_n)
{
	*ret_n = get_dump(d)->noted.n;
	return get_dump(d)->noted.items;
}

static int drain_one(void *d, int fd)
{
	struct bpf_map_info info;

	TRY(bpf_map_read_info(fd, &info));
	return bpf_map_drain(d, info.id);
}

int bpf_map_drain(struct dump *d, uint32_t id)
{
	struct maps_dump *dump = get_dump(d);
	AUTO(buffer_done) struct buffer keys = { 0 }, values = { 0 };
	BpfmapDataEntry record = BPFMAP_DATA_ENTRY__INIT;
	AUTO_CLOSE int fd = -1;
	struct bpf_map_info info;

	if (table_set(dump->drained, id, dump))
		return 0;
	/* The program's descriptor may be for writing only. */
	fd = bpf_open_map(id, 0);
	if (fd < 0)
		return fail(-fd, "opening BPF map %u", id);
	TRY(bpf_map_read_info(fd, &info));
	TRY(bpf_read_content(fd, &info, &keys, &values, &record.count));
	if (bpf_content_of(info.type) == BPF_CONTENT_RING)
		TRY(bpf_ring_read(fd, &info, d->pool, &record));
	if (keys.size > MAP_SIZE_MAX || values.size > MAP_SIZE_MAX)
		return refuse(EFBIG, "BPF map \"%s\" is too large", info.name);
	record.map_id = id;
	record.keys_bytes = (uint32_t)keys.size;
	record.values_bytes = (uint32_t)values.size;
	if (!dump->data)
		TRY(image_create(dump_store(d), &dump->data, IMAGE_BPFMAP_DATA));
	TRY(image_write(dump->data, &record));
	TRY(image_write_bytes(dump->data, keys.data, keys.size));
	TRY(image_write_bytes(dump->data, values.data, values.size));
	return bpf_content_of(info.type) == BPF_CONTENT_MAPS ? for_inner(&values, drain_one, d) : 0;
}

int bpf_maps_write(struct dump *d)
{
	struct maps_dump *dump = get_dump(d);

	return dump->data ? image_finish(&dump->data) : 0;
}

/* --- restore --- */

struct map {
	const BpfmapDataEntry *data;
	const BpfmapFileEntry *record; /* one of them */
	uint8_t *bytes;		       /* keys, then values */
	bool making;
	int fd; /* keeps it until the end; -1: it is not made yet */
};

static void destroy_maps(void *state)
{
	struct table **maps = state;
	struct map *map;
	size_t cursor = 0;

	while (*maps && (map = table_next(*maps, &cursor)))
		if (map->fd >= 0)
			close(TAKE_FD(map->fd));
	table_destroy(maps);
}

static const struct state_type maps_state = { sizeof(struct table *), destroy_maps };

static struct table **get_maps(const struct restore *r)
{
	struct table **maps = state_get(r->states, &maps_state);

	if (!*maps)
		*maps = table_create();
	return maps;
}

int bpf_maps_prepare(const struct restore *r)
{
	AUTO(image_close) struct image *image = NULL;
	BpfmapDataEntry *record;
	int more = image_open(r->store, &image, IMAGE_BPFMAP_DATA);

	if (more == -ENOENT)
		return 0;
	TRY(more);
	while ((more = image_read(image, &record)) > 0) {
		struct map *map = pool_new(r->pool, struct map);
		size_t size;

		map->data = record;
		map->fd = -1;
		TRY(image_read_payload(image, (void **)&map->bytes, &size));
		if (size != (uint64_t)record->keys_bytes + record->values_bytes)
			return image_refuse(image, "map %u: keys or values are missing", record->map_id);
		table_set(*get_maps(r), record->map_id, map);
	}
	return more;
}

/* A value of each CPU that there was. */
static bool values_fit(const BpfmapFileEntry *record, const BpfmapDataEntry *data)
{
	uint64_t one = record->value_size;

	if (bpf_content_of(record->map_type) == BPF_CONTENT_EACH_CPU) {
		one = (one + 7) / 8 * 8;
		return !data->count ? !data->values_bytes
				    : data->values_bytes && data->values_bytes % (one * data->count) == 0;
	}
	return one * data->count == data->values_bytes;
}

static int check_cpus(const BpfmapFileEntry *record, const struct map *map)
{
	size_t here;

	if (bpf_content_of(record->map_type) != BPF_CONTENT_EACH_CPU || !map->data->count)
		return 0;
	here = bpf_value_size(record->map_type, record->value_size);
	if (!here)
		return -EIO;
	if (map->data->values_bytes / map->data->count > here)
		return refuse(EOPNOTSUPP,
			      "BPF map \"%s\" has a value of each CPU, and here are fewer than where it was saved",
			      record->map_name);
	return 0;
}

int bpf_map_load(const struct restore *r, const BpfmapFileEntry *record)
{
	struct map *map = table_find(*get_maps(r), record->map_id);
	enum bpf_content content = bpf_content_of(record->map_type);
	bool no_keys = content == BPF_CONTENT_QUEUE || content == BPF_CONTENT_STACK || content == BPF_CONTENT_RING;

	if (!map)
		return refuse(EINVAL, "bpfmap-data.img: map %u is missing", record->map_id);
	if (content == BPF_CONTENT_NONE)
		return refuse(EINVAL, "bpfmap_file_entry: map %u is of type %u, which cannot be made", record->map_id,
			      record->map_type);
	if (!record->key_size != no_keys || !record->value_size != (content == BPF_CONTENT_RING) ||
	    record->key_size > ELEMENT_MAX || record->value_size > ELEMENT_MAX ||
	    (uint64_t)record->key_size * map->data->count != map->data->keys_bytes || !values_fit(record, map->data) ||
	    (content == BPF_CONTENT_MAPS && record->value_size != sizeof(uint32_t)))
		return refuse(EINVAL, "bpfmap-data.img: the sizes of map %u do not fit together", record->map_id);
	if (content == BPF_CONTENT_RING)
		TRY(bpf_ring_load(record, map->data));
	map->record = map->record ?: record;
	return check_cpus(record, map);
}

static const uint8_t *values_of(const struct map *map)
{
	return map->bytes + map->data->keys_bytes;
}

/* The number that a map had, in a map of maps. */
static uint32_t inner_at(const struct map *map, uint32_t i)
{
	uint32_t id;

	memcpy(&id, values_of(map) + i * sizeof(id), sizeof(id));
	return id;
}

static int fill_map(struct restore *r, int fd, const struct map *map)
{
	const BpfmapFileEntry *record = map->record;
	uint32_t n = map->data->count;
	size_t size = n ? map->data->values_bytes / n : 0, room = bpf_value_size(record->map_type, record->value_size);
	AUTO_FREE uint8_t *value = xzalloc(room > size ? room : size + 1); /* CPUs that were not there have nothing */

	if (bpf_content_of(record->map_type) == BPF_CONTENT_RING)
		return bpf_ring_fill(fd, record, map->data);

	for (uint32_t i = 0; i < n; i++) {
		const uint8_t *key = record->key_size ? map->bytes + (size_t)i * record->key_size : NULL;
		int inner;

		memcpy(value, values_of(map) + i * size, size);
		if (bpf_content_of(record->map_type) == BPF_CONTENT_MAPS) {
			TRY(bpf_map_make(r, inner_at(map, i), &inner));
			memcpy(value, &inner, sizeof(inner));
		}
		TRY(bpf_set_element(fd, key, value, i));
	}
	return 0;
}

/* A full one forgets what was used least while it is filled. */
static int check_filled(int fd, const struct map *map)
{
	AUTO(buffer_done) struct buffer keys = { 0 }, values = { 0 };
	struct bpf_map_info info;
	uint32_t n;

	if (map->record->map_type != BPF_MAP_TYPE_LRU_HASH && map->record->map_type != BPF_MAP_TYPE_LRU_PERCPU_HASH)
		return 0;
	TRY(bpf_map_read_info(fd, &info));
	TRY(bpf_read_content(fd, &info, &keys, &values, &n));
	if (n < map->data->count)
		log_warn("BPF map \"%s\", an LRU hash, has forgotten %u of %u elements while it was filled",
			 map->record->map_name, map->data->count - n, map->data->count);
	return 0;
}

static int create_map(struct restore *r, struct map *map)
{
	const BpfmapFileEntry *record = map->record;
	union bpf_attr attr = { .map_type = record->map_type,
				.key_size = record->key_size,
				.value_size = record->value_size,
				.max_entries = record->max_entries,
				.map_flags = record->map_flags & ~(uint32_t)(BPF_F_RDONLY | BPF_F_WRONLY),
				.map_ifindex = record->ifindex };
	union bpf_attr freeze = { 0 };
	AUTO_CLOSE int fd = -1;
	int inner, error;

	attr.map_extra = record->map_extra;
	strncpy(attr.map_name, record->map_name, sizeof(attr.map_name) - 1);
	if (bpf_content_of(record->map_type) == BPF_CONTENT_MAPS) {
		if (!map->data->count)
			return refuse(EINVAL, "bpfmap-data.img: map %u is a map of maps without any", record->map_id);
		TRY(bpf_map_make(r, inner_at(map, 0), &inner));
		attr.inner_map_fd = (uint32_t)inner;
	}
	fd = bpf_call(BPF_MAP_CREATE, &attr);
	if (fd < 0)
		return fail(-fd, "making the %s", bpf_type_name(record->map_type));
	TRY(fill_map(r, fd, map));
	TRY(check_filled(fd, map));
	freeze.map_fd = (uint32_t)fd;
	error = record->frozen ? bpf_call(BPF_MAP_FREEZE, &freeze) : 0;
	if (error < 0)
		return fail(-error, "freezing the map");
	map->fd = TAKE_FD(fd);
	return 0;
}

int bpf_map_make(struct restore *r, uint32_t id, int *ret_fd)
{
	struct map *map = table_find(*get_maps(r), id);

	if (!map || !map->record || map->making)
		return refuse(EINVAL, "bpf-objects.img: map %u is missing, or is in itself: the images are damaged",
			      id);
	if (map->fd < 0) {
		LOG_SCOPE("BPF map %u (%s)", id, map->record->map_name);
		map->making = true;
		TRY(create_map(r, map));
		map->making = false;
	}
	*ret_fd = map->fd;
	return 0;
}

void bpf_maps_done(struct restore *r)
{
	state_destroy(r->states, &maps_state);
}
