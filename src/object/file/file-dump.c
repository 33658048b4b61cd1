/* SPDX-License-Identifier: GPL-2.0-only */
/* Dump of open files: what kind is it, was it seen before, its entry in files.img. */
#include "object/file/file-dump.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/array.h"
#include "base/auto.h"
#include "base/fail.h"
#include "base/file.h"
#include "base/log.h"
#include "base/table.h"
#include "base/text.h"
#include "engine/engine.h"
#include "image/image.h"
#include "image/record.h"
#include "object/file/file-state.h"
#include "object/file/deleted/link-remap.h"
#include "object/file/describe.h"
#include "object/file/descriptors.h"
#include "object/file/external.h"
#include "object/file/flags.h"
#include "object/file/later.h"
#include "object/file/locks.h"
#include "object/file/notify/path.h"
#include "object/namespace/namespace.h"
#include "object/net/net.h"
#include "session/ids.h"
#include "session/survey.h"

const ProtobufCMessageDescriptor *file_member_type(size_t member)
{
	const ProtobufCMessageDescriptor *entry = &file_entry__descriptor;

	for (unsigned i = 0; i < entry->n_fields; i++)
		if (entry->fields[i].offset == member)
			return entry->fields[i].descriptor;
	return NULL;
}

static FileEntry *make_entry(const struct dump *d, FdTypes type, size_t member, uint32_t id)
{
	FileEntry *entry = pool_new(d->pool, FileEntry);

	file_entry__init(entry);
	entry->type = type;
	entry->id = id;
	if (member) {
		const ProtobufCMessageDescriptor *record = file_member_type(member);
		ProtobufCMessage *message = pool_alloc(d->pool, record->sizeof_message);

		protobuf_c_message_init(record, message);
		file_record(entry, ProtobufCMessage, member) = message;
	}
	return entry;
}

FileEntry *file_add_entry(const struct dump *d, FdTypes type, size_t member)
{
	FileEntry *entry = make_entry(d, type, member, ++file_dump_of(d)->last_id);

	*vector_push(&file_dump_of(d)->entries) = entry;
	return entry;
}

void file_dump_reorder(const struct dump *d, const uint32_t *ids, size_t n)
{
	FileEntry **entries = file_dump_of(d)->entries.items;
	VECTOR(size_t) places = { 0 };
	struct table *by_id = table_create();
	size_t at = 0;

	for (size_t i = 0; i < n; i++)
		if (ids[i])
			table_set(by_id, ids[i], d->pool);
	for (size_t i = 0; i < file_dump_of(d)->entries.n && table_count(by_id); i++) {
		if (!table_find(by_id, entries[i]->id))
			continue;
		table_set(by_id, entries[i]->id, entries[i]);
		*vector_push(&places) = i;
	}
	for (size_t i = 0; i < n; i++)
		if (ids[i])
			entries[places.items[at++]] = table_find(by_id, ids[i]);
	vector_done(&places);
	table_destroy(&by_id);
}

static void destroy_dump(void *state)
{
	struct file_dump *files = state;

	for (size_t i = 0; i < files->loose.n; i++)
		close(files->loose.items[i]);
	file_later_done(files);
	relink_done(files);
	vector_done(&files->loose);
	vector_done(&files->savings);
	vector_done(&files->known);
	vector_done(&files->entries);
	kcmp_tree_destroy(&files->identities);
	vector_done(&files->dumped);
	table_destroy(&files->descriptors);
	table_destroy(&files->told);
	table_destroy(&files->paths);
	table_destroy(&files->locks_seen);
	table_destroy(&files->inodes);
	vector_done(&files->watched);
	path_forget_walks(files);
	vector_done(&files->locks);
	proc_mounts_done(&files->mounts);
}

static const struct state_type file_dump_state = { sizeof(struct file_dump), destroy_dump };

struct file_dump *file_dump_of(const struct dump *d)
{
	return state_find(d->states, &file_dump_state);
}

int file_dump_begin(struct dump *d)
{
	struct file_dump *files = state_make(d->states, &file_dump_state);

	files->identities = kcmp_tree_create(KCMP_FILE);
	files->descriptors = table_create();
	files->told = table_create();
	files->paths = table_create();
	files->locks_seen = table_create();
	files->inodes = table_create();
	file_learn_devices(files);
	return 0;
}

int file_dump_collect(const struct dump *d)
{
	file_check_external(d->options);
	return 0;
}

static int read_link(const struct dump *d, struct open_file *of)
{
	char name[32], text[PATH_MAX];
	ssize_t length;

	if (of->link)
		return 0;
	if (S_ISSOCK(of->stat.st_mode) && file_dump_of(d)->socket_dev == of->stat.st_dev) {
		of->link = pool_printf(d->pool, "socket:[%lu]", of->stat.st_ino);
		return 0;
	}
	if (S_ISFIFO(of->stat.st_mode) && file_dump_of(d)->pipe_dev == of->stat.st_dev) {
		of->link = pool_printf(d->pool, "pipe:[%lu]", of->stat.st_ino);
		return 0;
	}
	snprintf(name, sizeof(name), "/proc/self/fd/%d", of->fd);
	length = file_readlink(AT_FDCWD, name, text, sizeof(text));
	if (length < 0)
		return fail((int)-length, "reading %s", name);
	of->link = pool_copy(d->pool, text, (size_t)length + 1);
	if (S_ISSOCK(of->stat.st_mode) && text_starts(text, "socket:["))
		file_dump_of(d)->socket_dev = of->stat.st_dev;
	return 0;
}

static int read_owner(const struct dump *d, struct open_file *of)
{
	of->owner = pool_new(d->pool, FownEntry);
	fown_entry__init(of->owner);
	if (of->facts && of->facts->has_no_owner)
		return 0;
	if (of->flags & O_PATH || !of->fdinfo)
		return 0;
	return of->is_name ? file_view_owner(d, of, of->owner) : file_read_owner(d, of->fd, of->owner);
}

static bool kind_matches(const struct file_kind *kind, const struct open_file *of)
{
	if (kind->format && (of->stat.st_mode & S_IFMT) != kind->format)
		return false;
	if (kind->format == S_IFSOCK && of->flags & O_PATH)
		return false; /* the name of a socket, not the socket */
	if (kind->fs_magic && of->fs_magic != kind->fs_magic)
		return false;
	if (kind->anon_inode) {
		const char *name = text_after(of->link, "anon_inode:");

		if (!name || strcmp(name, kind->anon_inode) != 0)
			return false;
	}
	return !kind->is || kind->is(of);
}

static const struct file_kind *find_kind(const struct open_file *of)
{
	unsigned i = 0;

	while (!kind_matches(file_kinds[i], of)) /* the last one takes everything */
		i++;
	return file_kinds[i];
}

/* --- identity --- */

/* Numbers in fdinfo that tell files without an inode of their own apart. */
static uint64_t get_hint(const struct fdinfo *info)
{
	static const char *const keys[] = { "eventfd-id", "sigmask", "clockid", "Pid", "tfd", "map_id" };
	const char *value = NULL;
	uint64_t hash = 0;

	for (size_t i = 0; i < ARRAY_SIZE(keys) && !value; i++)
		value = fdinfo_get(info, keys[i]);
	for (; value && *value; value++)
		hash = hash * 31 + (unsigned char)*value;
	return hash;
}

static uint64_t hash_open_file(const struct open_file *of)
{
	uint64_t hash = of->stat.st_dev * 0x9e3779b97f4a7c15u + of->stat.st_ino;

	/* What has neither position nor mount may have been described without them. */
	if (S_ISSOCK(of->stat.st_mode) || S_ISFIFO(of->stat.st_mode))
		return (hash ^ (hash >> 29)) * 0xbf58476d1ce4e5b9u + of->flags;
	hash = (hash ^ (hash >> 29)) * 0xbf58476d1ce4e5b9u + of->pos;
	hash = (hash ^ (hash >> 32)) * 0x94d049bb133111ebu + of->flags;
	if (!(of->stat.st_mode & S_IFMT))
		hash += get_hint(of->fdinfo);
	return (hash ^ (hash >> 31)) * 0x9e3779b97f4a7c15u + (uint32_t)of->mnt_id;
}

static int identify_file(const struct dump *d, struct open_file *of, struct dumped **ret)
{
	bool loose = of->task_fd < 0, is_new;
	AUTO_CLOSE int copy = -1;
	uint32_t number;

	if (loose) {
		copy = fcntl(of->fd, F_DUPFD_CLOEXEC, 3); /* kcmp needs it as long as files are compared */
		if (copy < 0)
			return fail_errno("duplicating a descriptor");
	}
	TRY(kcmp_id(file_dump_of(d)->identities, loose ? getpid() : of->task->pid,
		    (unsigned long)(loose ? copy : of->task_fd), hash_open_file(of), &number, &is_new));
	if (is_new) {
		*vector_push(&file_dump_of(d)->dumped) = pool_new(d->pool, struct dumped);
		if (loose)
			*vector_push(&file_dump_of(d)->loose) = TAKE_FD(copy);
	}
	*ret = file_dump_of(d)->dumped.items[number - 1];
	return is_new;
}

/* A socket is looked at from its own network namespace. */
static int enter_network(const struct dump *d, const struct open_file *of, struct netns_switch *entered)
{
	uint32_t id;

	if (!S_ISSOCK(of->stat.st_mode) || !dump_namespaces(d)->any)
		return 0;
	TRY(network_of_socket(d, of->task, of->fd, &id));
	return network_dump_enter(d, id, entered);
}

void file_dump_save(const struct dump *d, int (*save)(struct dump *d, const struct open_file *of, void *arg), void *arg)
{
	*vector_push(&file_dump_of(d)->savings) = (struct file_saving){ save, arg };
}

void file_dump_keep(const struct dump *d, int fd)
{
	*vector_push(&file_dump_of(d)->loose) = fd;
}

/* A kind that looks at a file may dump others for it. */
static int look_and_save(const struct dump *d, struct open_file *of, const struct file_kind *kind, FileEntry *entry)
{
	const size_t before = file_dump_of(d)->savings.n;
	int error = kind->dump(d, of, entry);
	struct dump *acting = phase_acting_dump(d, PHASE_dump_save);

	for (size_t i = before; i < file_dump_of(d)->savings.n && !error && acting; i++) {
		const struct file_saving saving = file_dump_of(d)->savings.items[i];

		error = phase_pass_dump(d, PHASE_dump_save, "file", kind->name);
		if (!error)
			error = saving.save(acting, of, saving.arg);
	}
	file_dump_of(d)->savings.n = before;
	return error;
}

/* Who may open it again by /proc/PID/fd. */
static InodeOwnerEntry *describe_owner(const struct dump *d, const struct open_file *of)
{
	InodeOwnerEntry *owner;

	if (!S_ISSOCK(of->stat.st_mode) && of->fs_magic != PIPEFS_MAGIC)
		return NULL;
	owner = pool_new(d->pool, InodeOwnerEntry);
	inode_owner_entry__init(owner);
	owner->uid = dump_inner_uid(d, of->stat.st_uid);
	owner->gid = dump_inner_gid(d, of->stat.st_gid);
	owner->mode = of->stat.st_mode & 07777;
	return owner;
}

int file_dump_new(const struct dump *d, struct open_file *of, struct dumped *dumped)
{
	AUTO(netns_leave) struct netns_switch entered = NETNS_UNCHANGED;
	const struct file_kind *kind;
	struct dump *acting;
	FileEntry *entry;

	TRY(read_link(d, of));
	TRY(file_read_system(d, of));
	LOG_SCOPE("%s", of->link);
	kind = file_is_given(d, of) ? &external_kind : find_kind(of);
	TRY(read_owner(d, of));
	dumped->id = of->id = ++file_dump_of(d)->last_id;
	dumped->type = kind->type;
	entry = make_entry(d, kind->type, kind->entry, of->id);
	entry->owner = kind == &external_kind ? NULL : describe_owner(d, of);
	TRY(enter_network(d, of, &entered));
	TRY(phase_pass_dump(d, PHASE_dump_object, "file", kind->name));
	TRY(look_and_save(d, of, kind, entry));
	dumped->type = entry->type;
	if (entry->reg)
		table_set2(file_dump_of(d)->inodes, of->stat.st_dev, of->stat.st_ino, (void *)(uintptr_t)of->id);
	*vector_push(&file_dump_of(d)->entries) = entry;
	log_debug("file %u: %s %s", of->id, kind->name, of->link);
	acting = phase_acting_dump(d, PHASE_dump_drain);
	if (!kind->drain || !acting)
		return 0;
	TRY(phase_pass_dump(d, PHASE_dump_drain, "file", kind->name));
	return kind->drain(acting, of);
}

uint32_t file_find_inode(const struct dump *d, dev_t dev, ino_t ino)
{
	return (uint32_t)(uintptr_t)table_find2(file_dump_of(d)->inodes, dev, ino);
}

int file_dump_known(const struct dump *d, struct open_file *of, struct dumped **ret)
{
	int is_new = identify_file(d, of, ret);

	TRY(is_new);
	if (is_new)
		TRY(file_dump_new(d, of, *ret));
	of->id = (*ret)->id;
	return is_new;
}

int file_dump(struct dump *d, struct open_file *of)
{
	struct dumped *dumped;

	TRY(file_dump_known(d, of, &dumped));
	return 0;
}

int file_dump_loose(struct dump *d, struct task *task, int fd, uint32_t *ret_id)
{
	struct open_file of = { .task = task, .task_fd = -1, .fd = fd };
	AUTO(fdinfo_done) struct fdinfo info = { .dir = -1 };

	TRY(file_describe_own(d, &of, &info));
	TRY(file_dump(d, &of));
	*ret_id = of.id;
	return 0;
}

/* --- the end --- */

static int write_files(struct dump *d)
{
	AUTO(image_close) struct image *image = NULL;

	TRY(image_create(dump_store(d), &image, IMAGE_FILES));
	for (size_t i = 0; i < file_dump_of(d)->entries.n; i++)
		TRY(image_write(image, file_dump_of(d)->entries.items[i]));
	return image_finish(&image);
}

int file_dump_finish(const struct dump *d)
{
	for (unsigned i = 0; file_kinds[i]; i++) {
		LOG_SCOPE("%s files", file_kinds[i]->name);
		if (!file_kinds[i]->finish)
			continue;
		TRY(file_run_later(d)); /* the one before may have dumped more */
		TRY(phase_pass_dump(d, PHASE_dump_finish, "file", file_kinds[i]->name));
		TRY(dump_go_on(d, file_kinds[i]->finish(d)));
	}
	return file_run_later(d);
}

int file_dump_write(struct dump *d)
{
	for (unsigned i = 0; file_kinds[i]; i++) {
		LOG_SCOPE("%s files", file_kinds[i]->name);
		if (!file_kinds[i]->write)
			continue;
		TRY(phase_pass_dump(d, PHASE_dump_write, "file", file_kinds[i]->name));
		TRY(file_kinds[i]->write(d));
	}
	TRY(file_write_tables(d));
	TRY(locks_write(d));
	return write_files(d);
}

void file_dump_end(struct dump *d)
{
	if (file_dump_of(d) && failure_error())
		relink_undo(d);
}
