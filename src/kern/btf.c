/* SPDX-License-Identifier: LGPL-2.1-only */
/* Where members lie in structures of the running kernel. The format is that of the kernel's bpf/btf.rst. */
#include "kern/btf.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/btf.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/io.h"
#include "base/pool.h"
#include "base/vector.h"
#include "kern/btf-cache.h"

#define FOLDER	  "/sys/kernel/btf"
#define DEPTH_MAX 16 /* of what is within each other */
#define NAME_SIZE 128

struct structure {
	uint32_t name, number;
};

/* One file of it. */
struct part {
	char path[NAME_SIZE];
	uint8_t *data; /* NULL: not read yet */
	size_t size;
	bool mapped;
	const char *names;
	uint32_t names_size;
};

enum { KERNEL, MODULE, PARTS };

/* Numbers of types and places of names go on in the module where the kernel's end. */
struct btf {
	struct part parts[PARTS];      /* no module: its size is 0 */
	const struct btf_type **types; /* by number; 0 is void */
	uint32_t n, capacity;
	bool broken;			     /* what was read of it */
	VECTOR(struct structure) structures; /* and unions, that have names */
	struct btf_cache *cache;	     /* most is there, and the rest of this is not read then */
};

static const struct btf_type *type_at(const struct btf *btf, uint32_t number)
{
	return number && number <= btf->n ? btf->types[number] : NULL;
}

static const char *name_at(const struct btf *btf, uint32_t offset)
{
	for (int i = 0; i < PARTS; offset -= btf->parts[i++].names_size)
		if (offset < btf->parts[i].names_size)
			return btf->parts[i].names + offset;
	return "";
}

/* Each name is there once. 0: it is not. */
static uint32_t find_name(const struct btf *btf, const char *name)
{
	const size_t size = strlen(name) + 1;
	char between[NAME_SIZE] = "";
	uint32_t before = 0;

	if (size >= sizeof(between))
		return 0;
	memcpy(between + 1, name, size);
	for (int i = 0; i < PARTS; before += btf->parts[i++].names_size) {
		const char *names = btf->parts[i].names;
		const char *found = names ? memmem(names, btf->parts[i].names_size, between, size + 1) : NULL;

		if (found)
			return before + (uint32_t)(found + 1 - names);
	}
	return 0;
}

static bool is_structure(const struct btf_type *type)
{
	return type && (BTF_INFO_KIND(type->info) == BTF_KIND_STRUCT || BTF_INFO_KIND(type->info) == BTF_KIND_UNION);
}

/* What follows a type. -EINVAL for one that is not known. */
static int64_t tail_size(const struct btf_type *type)
{
	const uint32_t n = BTF_INFO_VLEN(type->info);

	switch (BTF_INFO_KIND(type->info)) {
	case BTF_KIND_PTR:
	case BTF_KIND_FWD:
	case BTF_KIND_TYPEDEF:
	case BTF_KIND_VOLATILE:
	case BTF_KIND_CONST:
	case BTF_KIND_RESTRICT:
	case BTF_KIND_FUNC:
	case BTF_KIND_FLOAT:
	case BTF_KIND_TYPE_TAG:
		return 0;
	case BTF_KIND_INT:
	case BTF_KIND_VAR:
	case BTF_KIND_DECL_TAG:
		return 4;
	case BTF_KIND_ARRAY:
		return sizeof(struct btf_array);
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION:
		return n * (int64_t)sizeof(struct btf_member);
	case BTF_KIND_ENUM:
		return n * (int64_t)sizeof(struct btf_enum);
	case BTF_KIND_FUNC_PROTO:
		return n * (int64_t)sizeof(struct btf_param);
	case BTF_KIND_DATASEC:
		return n * (int64_t)sizeof(struct btf_var_secinfo);
	case BTF_KIND_ENUM64:
		return n * (int64_t)sizeof(struct btf_enum64);
	default:
		return -EINVAL;
	}
}

static int index_types(struct btf *btf, const uint8_t *at, const uint8_t *end)
{
	const uint32_t before = btf->n;

	while ((size_t)(end - at) >= sizeof(struct btf_type)) {
		const struct btf_type *type = (const void *)at;
		int64_t tail = tail_size(type);

		if (tail < 0 || tail > end - at - (int64_t)sizeof(*type))
			return -EINVAL;
		if (btf->n + 1 >= btf->capacity) {
			btf->capacity = btf->capacity ? 2 * btf->capacity : 65536;
			btf->types = xrealloc(btf->types, btf->capacity * sizeof(*btf->types));
		}
		btf->types[++btf->n] = type;
		if (is_structure(type) && type->name_off)
			*vector_push(&btf->structures) = (struct structure){ type->name_off, btf->n };
		at += (int64_t)sizeof(*type) + tail;
	}
	return btf->n > before ? 0 : -EINVAL;
}

static int parse_header(struct btf *btf, struct part *part)
{
	size_t size = part->size;
	const struct btf_header *head = (const void *)part->data;
	const uint8_t *body;

	if (size < sizeof(*head) || head->magic != BTF_MAGIC || head->hdr_len > size)
		return -EINVAL;
	body = part->data + head->hdr_len;
	size -= head->hdr_len;
	if (head->type_off % 4 || (uint64_t)head->type_off + head->type_len > size || !head->str_len ||
	    (uint64_t)head->str_off + head->str_len > size)
		return -EINVAL;
	part->names = (const char *)body + head->str_off;
	part->names_size = head->str_len;
	if (part->names[part->names_size - 1])
		return -EINVAL;
	return index_types(btf, body + head->type_off, body + head->type_off + head->type_len);
}

/* It can be mapped since Linux 6.16. */
static int read_content(struct part *part, int fd)
{
	void *map = mmap(NULL, part->size, PROT_READ, MAP_PRIVATE, fd, 0);

	part->mapped = map != MAP_FAILED;
	part->data = part->mapped ? map : xmalloc(part->size + 1);
	return part->mapped ? 0 : io_read_exact(fd, part->data, part->size);
}

static int find_part(struct part *part, const char *name)
{
	struct stat st;

	snprintf(part->path, sizeof(part->path), FOLDER "/%s", name);
	if (stat(part->path, &st) < 0)
		return -errno;
	part->size = (size_t)st.st_size;
	return 0;
}

int btf_open(struct btf **ret)
{
	struct part kernel = { 0 };
	struct btf *btf;

	TRY(find_part(&kernel, "vmlinux"));
	btf = xzalloc(sizeof(*btf));
	btf->parts[KERNEL] = kernel;
	btf->cache = btf_cache_open(BTF_CACHE_PATH, kernel.size);
	*ret = btf;
	return 0;
}

void btf_add_module(struct btf *btf, const char *module)
{
	(void)find_part(&btf->parts[MODULE], module); /* it is built in, or is not there */
}

static int read_part(struct btf *btf, struct part *part)
{
	AUTO_CLOSE int fd = open(part->path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	TRY(read_content(part, fd));
	return parse_header(btf, part);
}

static int read_types(struct btf *btf)
{
	int error = 0;

	if (btf->parts[KERNEL].data)
		return btf->broken ? -EINVAL : 0;
	for (int i = 0; i < PARTS && !error; i++)
		if (btf->parts[i].size)
			error = read_part(btf, &btf->parts[i]);
	btf->broken = error;
	return error;
}

void btf_close(struct btf **place)
{
	struct btf *btf = TAKE_PTR(*place);

	if (!btf)
		return;
	btf_cache_close(&btf->cache);
	for (int i = 0; i < PARTS; i++)
		if (btf->parts[i].mapped)
			munmap(btf->parts[i].data, btf->parts[i].size);
		else
			free(btf->parts[i].data);
	free(btf->types);
	vector_done(&btf->structures);
	free(btf);
}

static const struct btf_type *skip_names(const struct btf *btf, const struct btf_type *type)
{
	for (unsigned i = 0; type && i < DEPTH_MAX; i++) {
		unsigned kind = BTF_INFO_KIND(type->info);

		if (kind != BTF_KIND_TYPEDEF && kind != BTF_KIND_CONST && kind != BTF_KIND_VOLATILE &&
		    kind != BTF_KIND_RESTRICT && kind != BTF_KIND_TYPE_TAG)
			return type;
		type = type_at(btf, type->type);
	}
	return NULL;
}

static uint32_t size_of(const struct btf *btf, const struct btf_type *type)
{
	uint32_t times = 1;

	for (unsigned i = 0; i < DEPTH_MAX; i++) {
		const struct btf_array *array;

		type = skip_names(btf, type);
		if (!type)
			return 0;
		if (BTF_INFO_KIND(type->info) == BTF_KIND_PTR)
			return times * (uint32_t)sizeof(void *);
		if (BTF_INFO_KIND(type->info) != BTF_KIND_ARRAY)
			return times * type->size;
		array = (const void *)(type + 1);
		times *= array->nelems;
		type = type_at(btf, array->type);
	}
	return 0;
}

static int find_member(const struct btf *btf, const struct btf_type *type, const char *name, uint64_t base,
		       unsigned depth, struct btf_place *ret)
{
	const struct btf_member *members = (const void *)(type + 1);

	for (uint32_t i = 0; i < BTF_INFO_VLEN(type->info); i++) {
		const struct btf_type *inner = skip_names(btf, type_at(btf, members[i].type));
		bool fields = BTF_INFO_KFLAG(type->info);
		uint32_t raw = members[i].offset;
		uint64_t bit = base + (fields ? BTF_MEMBER_BIT_OFFSET(raw) : raw);
		uint8_t bits = fields ? (uint8_t)BTF_MEMBER_BITFIELD_SIZE(raw) : 0;

		if (!members[i].name_off && is_structure(inner) && depth < DEPTH_MAX &&
		    find_member(btf, inner, name, bit, depth + 1, ret) == 0)
			return 0;
		if (strcmp(name_at(btf, members[i].name_off), name) != 0)
			continue;
		ret->offset = (uint32_t)(bit / 8);
		ret->shift = (uint8_t)(bit % 8);
		ret->bits = bits;
		ret->size = bits ? (ret->shift + bits + 7u) / 8 : size_of(btf, inner);
		return 0;
	}
	return -ENOENT;
}

static int find_place(const struct btf *btf, const char *type, const char *member, struct btf_place *ret)
{
	const uint32_t name = find_name(btf, type);

	for (size_t i = 0; i < btf->structures.n && name; i++) {
		const struct btf_type *found = btf->types[btf->structures.items[i].number];

		if (btf->structures.items[i].name != name)
			continue;
		if (*member)
			return find_member(btf, found, member, 0, 0, ret);
		*ret = (struct btf_place){ .size = found->size };
		return 0;
	}
	return -ENOENT;
}

static int find_function(const struct btf *btf, const char *function, uint32_t *ret)
{
	const uint32_t name = find_name(btf, function);

	for (uint32_t i = 1; i <= btf->n && name; i++) {
		if (BTF_INFO_KIND(btf->types[i]->info) != BTF_KIND_FUNC || btf->types[i]->name_off != name)
			continue;
		*ret = i;
		return 0;
	}
	return -ENOENT;
}

static int find_short(const struct btf *btf, const struct btf_type *type, const char *name, int64_t *ret)
{
	const struct btf_enum *values = (const void *)(type + 1);

	for (uint32_t i = 0; i < BTF_INFO_VLEN(type->info); i++) {
		if (strcmp(name_at(btf, values[i].name_off), name) != 0)
			continue;
		*ret = values[i].val;
		return 0;
	}
	return -ENOENT;
}

static int find_long(const struct btf *btf, const struct btf_type *type, const char *name, int64_t *ret)
{
	const struct btf_enum64 *values = (const void *)(type + 1);

	for (uint32_t i = 0; i < BTF_INFO_VLEN(type->info); i++) {
		if (strcmp(name_at(btf, values[i].name_off), name) != 0)
			continue;
		*ret = (int64_t)((uint64_t)values[i].val_hi32 << 32 | values[i].val_lo32);
		return 0;
	}
	return -ENOENT;
}

static int find_constant(const struct btf *btf, const char *name, int64_t *ret)
{
	for (uint32_t i = 1; i <= btf->n; i++) {
		const struct btf_type *type = btf->types[i];
		unsigned kind = BTF_INFO_KIND(type->info);

		if ((kind == BTF_KIND_ENUM && find_short(btf, type, name, ret) == 0) ||
		    (kind == BTF_KIND_ENUM64 && find_long(btf, type, name, ret) == 0))
			return 0;
	}
	return -ENOENT;
}

/* --- with the cache; the first of the values is 0 or an error --- */

static int find_member_values(const struct btf *btf, const char *type, const char *member, int64_t *values)
{
	struct btf_place place = { 0 };
	int error = find_place(btf, type, member, &place);

	values[1] = place.offset;
	values[2] = place.size;
	values[3] = place.shift;
	values[4] = place.bits;
	return error;
}

static int find_function_values(const struct btf *btf, const char *function, const char *member, int64_t *values)
{
	uint32_t number = 0;
	int error = find_function(btf, function, &number);

	values[1] = number;
	return error;
}

static int find_constant_values(const struct btf *btf, const char *name, const char *member, int64_t *values)
{
	return find_constant(btf, name, &values[1]);
}

static int find_cached(struct btf *btf, const char *kind, const char *name, const char *member,
		       int (*look)(const struct btf *btf, const char *name, const char *member, int64_t *values),
		       int64_t values[BTF_CACHE_VALUES])
{
	const struct part *module = &btf->parts[MODULE];
	char key[2 * NAME_SIZE];
	int error, n = snprintf(key, sizeof(key), "%s %s %s", kind, name, member);

	if (module->size && n > 0 && n < NAME_SIZE)
		snprintf(key + n, sizeof(key) - (size_t)n, " %s %zu", strrchr(module->path, '/') + 1, module->size);
	if (btf_cache_find(btf->cache, key, values))
		return (int)values[0];
	error = read_types(btf);
	if (error < 0)
		return error;
	values[0] = look(btf, name, member, values);
	btf_cache_add(btf->cache, key, values);
	return (int)values[0];
}

int btf_find(struct btf *btf, const char *type, const char *member, struct btf_place *ret)
{
	int64_t v[BTF_CACHE_VALUES] = { 0 };
	int error = find_cached(btf, "member", type, member, find_member_values, v);

	if (error < 0)
		return error;
	*ret = (struct btf_place){ (uint32_t)v[1], (uint32_t)v[2], (uint8_t)v[3], (uint8_t)v[4] };
	return 0;
}

int btf_find_function(struct btf *btf, const char *function, uint32_t *ret)
{
	int64_t v[BTF_CACHE_VALUES] = { 0 };
	int error = find_cached(btf, "function", function, "", find_function_values, v);

	if (error < 0)
		return error;
	*ret = (uint32_t)v[1];
	return 0;
}

int btf_find_constant(struct btf *btf, const char *name, int64_t *ret)
{
	int64_t v[BTF_CACHE_VALUES] = { 0 };
	int error = find_cached(btf, "constant", name, "", find_constant_values, v);

	if (error < 0)
		return error;
	*ret = v[1];
	return 0;
}
