/* SPDX-License-Identifier: GPL-2.0-only */
/* Restore of open files: records, users, who makes them when, and the phases of their kinds. */
#include "object/file/file-restore.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/resource.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/table.h"
#include "engine/engine.h"
#include "image/image.h"
#include "image/record.h"
#include "kern/pidfd.h"
#include "object/file/file-state.h"
#include "object/file/descriptors-restore.h"
#include "object/file/file-dump.h"
#include "object/file/flags.h"
#include "object/file/regular/regular.h"
#include "object/file/locks.h"
#include "object/namespace/namespace.h"
#include "object/net/net.h"
#include "session/ids.h"
#include "session/mapped.h"
#include "session/needs.h"
#include "session/survey.h"

#define FD_NUMBER_MAX (1u << 30)

struct file *file_find(const struct restore *r, uint32_t id)
{
	return table_find(file_set_of(r)->by_id, id);
}

int file_use(const struct restore *r, uint32_t id, struct file **ret)
{
	struct file *f = file_find(r, id);

	if (!f)
		return refuse(EINVAL, "file %u is not in files.img", id);
	f->users++;
	if (ret)
		*ret = f;
	return 0;
}

void file_put(struct restore *r, struct file *f)
{
	if (--f->users == 0 && f->fd >= 0) {
		close(f->fd);
		f->fd = -1;
	}
}

/* The network namespace in the record; 0: none, or that of the task (older images). */
static uint32_t recorded_network(const FileEntry *entry)
{
	if (entry->isk)
		return entry->isk->ns_id;
	if (entry->usk)
		return entry->usk->ns_id;
	if (entry->nlsk)
		return entry->nlsk->ns_id;
	if (entry->psk)
		return entry->psk->ns_id;
	return entry->tunf ? entry->tunf->ns_id : 0;
}

static uint32_t network_of(struct restore *r, const FileEntry *entry)
{
	uint32_t id = recorded_network(entry);
	struct namespace *ns = NULL;

	return id || !namespace_of_root(restore_namespaces(r), r->tree, CLONE_NEWNET, &ns) ? id : ns->id;
}

/* Its only task has it. */
static int take_back(struct file *f)
{
	f->fd = pidfd_take_fd(f->owner->restore->pidfd, f->owner_fd);
	return f->fd < 0 ? fail(-f->fd, "taking a copy of descriptor %d of task %d", f->owner_fd, f->owner->vpid) : 0;
}

int file_get_fd(struct restore *r, struct file *f, int *ret_fd)
{
	if (f->fd < 0 && f->made_there)
		TRY(take_back(f));
	if (f->fd < 0) {
		LOG_SCOPE("file %u (%s)", f->id, f->kind->name);
		if (!f->kind->create)
			return refuse(EOPNOTSUPP, "files of this kind cannot be opened by themselves");
		AUTO(netns_leave) struct netns_switch entered = NETNS_UNCHANGED;
		if (f->creating)
			return refuse(EINVAL, "files.img: it needs itself to be made");
		TRY(network_restore_enter(r, network_of(r, f->entry), &entered));
		f->creating = true;
		TRY(phase_pass_restore(r, PHASE_restore_create, "file", f->kind->name));
		TRY(f->kind->create(r, f));
		f->creating = false;
		if (f->fd < 0)
			return refuse(EINVAL, "could not be made");
		log_debug("Made");
	}
	*ret_fd = f->fd;
	return 0;
}

int file_set_inode_owner(const struct restore *r, const struct file *f)
{
	const InodeOwnerEntry *owner = f->entry->owner;
	struct stat now;
	uid_t uid;
	gid_t gid;

	if (!owner)
		return 0;
	uid = restore_outer_uid(r, owner->uid);
	gid = restore_outer_gid(r, owner->gid);
	if (fstat(f->fd, &now) < 0)
		return fail_errno("looking at it (fstat)");
	if (((now.st_mode & 07777) == owner->mode || fchmod(f->fd, owner->mode & 07777) == 0) &&
	    ((now.st_uid == uid && now.st_gid == gid) || fchown(f->fd, uid, gid) == 0))
		return 0;
	if (errno != EPERM)
		return fail_errno("giving it to user %u, group %u with mode 0%o", owner->uid, owner->gid, owner->mode);
	log_warn("it belonged to user %u, group %u and had mode 0%o: only root can make it so", owner->uid, owner->gid,
		 owner->mode);
	return 0;
}

int file_own_later(const struct restore *r, struct file *f, const FownEntry *owner)
{
	if (!owner || !owner->pid)
		return 0;
	f->users++;
	*vector_push(&file_set_of(r)->owners) = (struct late_owner){ f, owner };
	return 0;
}

/* --- load and link --- */

static const struct file_kind *find_kind(const FileEntry *entry)
{
	for (unsigned i = 0; file_kinds[i]; i++) {
		const struct file_kind *kind = file_kinds[i];

		if (kind->type == entry->type && kind->entry && file_record(entry, void, kind->entry) &&
		    (!kind->claims || kind->claims(entry)))
			return kind;
	}
	return NULL;
}

/* The signal owner is in a member of the same name in nearly every kind of record. */
static const FownEntry *find_owner(const FileEntry *entry, size_t member)
{
	const ProtobufCMessageDescriptor *type = file_member_type(member);
	const ProtobufCFieldDescriptor *field = protobuf_c_message_descriptor_get_field_by_name(type, "fown");

	return field ? file_record(file_record(entry, char, member), FownEntry, field->offset) : NULL;
}

/*
 * Fifos, terminals and tun files may share their id with the entry that tells their path (older images, always for
 * tun): the two become one.
 */
static bool merge_records(struct file *f, const struct file_kind *kind, FileEntry *entry)
{
	if (kind == &regular_kind && f->kind != &regular_kind && !f->entry->reg) {
		f->entry->reg = entry->reg;
		return true;
	}
	if (f->kind != &regular_kind || kind == &regular_kind || entry->reg)
		return false;
	entry->reg = f->entry->reg;
	f->entry = entry;
	f->kind = kind;
	return true;
}

static int add_file(const struct restore *r, struct image *image, FileEntry *entry)
{
	struct file *f = pool_new(r->pool, struct file), *known;

	f->kind = find_kind(entry);
	if (!f->kind)
		return image_refuse(image, "file %u is of the kind %d, which this version cannot restore", entry->id,
				    entry->type);
	if (!entry->id)
		return image_refuse(image, "the id 0 is not allowed");
	f->id = entry->id;
	f->entry = entry;
	if (entry->reg && entry->reg->name[0] == '/')
		entry->reg->name = (char *)mapped_path(r, entry->reg->name);
	f->fd = -1;
	known = table_find(file_set_of(r)->by_id, f->id);
	if (known)
		return merge_records(known, f->kind, entry) ? 0
							    : image_refuse(image, "the id %u is there twice", f->id);
	table_set(file_set_of(r)->by_id, f->id, f);
	*vector_push(&file_set_of(r)->files) = f;
	return 0;
}

static int read_files(const struct restore *r)
{
	AUTO(image_close) struct image *image = NULL;
	FileEntry *entry;
	int more = image_open(r->store, &image, IMAGE_FILES);

	if (more == -ENOENT)
		return refuse(ENOENT, "files.img is missing: images as old as that are not supported");
	TRY(more);
	while ((more = image_read(image, &entry)) > 0)
		TRY(restore_go_on(r, add_file(r, image, entry)));
	return more;
}

static int load_file(const struct restore *r, struct file *f)
{
	LOG_SCOPE("file %u (%s)", f->id, f->kind->name);
	TRY(file_own_later(r, f, find_owner(f->entry, f->kind->entry)));
	TRY(phase_pass_restore(r, PHASE_restore_load, "file", f->kind->name));
	TRY(network_restore_check(r, recorded_network(f->entry)));
	return f->kind->load ? f->kind->load(r, f) : 0;
}

static int link_file(const struct restore *r, struct file *f)
{
	LOG_SCOPE("file %u (%s)", f->id, f->kind->name);
	TRY(phase_pass_restore(r, PHASE_restore_link, "file", f->kind->name));
	return f->kind->link ? f->kind->link(r, f) : 0;
}

static void destroy_set(void *state)
{
	struct file_set *files = state;

	for (size_t i = 0; i < files->files.n; i++)
		if (files->files.items[i]->fd >= 0)
			close(files->files.items[i]->fd);
	vector_done(&files->files);
	vector_done(&files->owners);
	vector_done(&files->locks);
	table_destroy(&files->by_id);
	table_destroy(&files->tables);
}

static const struct state_type file_set_state = { sizeof(struct file_set), destroy_set };

struct file_set *file_set_of(const struct restore *r)
{
	return state_find(r->states, &file_set_state);
}

/* The record of fs-PID.img. */
static const struct state_type directories_state = { sizeof(FsEntry *), NULL };

void file_set_directories(struct task *task, FsEntry *record)
{
	*(FsEntry **)state_make(&task->restore->states, &directories_state) = record;
}

const FsEntry *file_directories_of(const struct task *task)
{
	FsEntry **record = state_find(&task->restore->states, &directories_state);

	return record ? *record : NULL;
}

int file_restore_load(const struct restore *r)
{
	struct file_set *files = state_make(r->states, &file_set_state);

	files->by_id = table_create();
	files->tables = table_create();
	TRY(restore_go_on(r, read_files(r)));
	for (unsigned i = 0; file_kinds[i]; i++) {
		if (!file_kinds[i]->prepare)
			continue;
		TRY(phase_pass_restore(r, PHASE_restore_prepare, "file", file_kinds[i]->name));
		TRY(restore_go_on(r, file_kinds[i]->prepare(r)));
	}
	for (size_t i = 0; i < files->files.n; i++)
		TRY(restore_go_on(r, load_file(r, files->files.items[i])));
	return 0;
}

int file_restore_link(const struct restore *r)
{
	struct file_set *files = file_set_of(r);

	TRY(file_load_tables(r));
	TRY(restore_go_on(r, locks_load(r)));
	for (size_t i = 0; i < files->files.n; i++)
		TRY(restore_go_on(r, link_file(r, files->files.items[i])));
	return 0;
}

/* --- for criu verify --- */

struct file *const *file_restore_all(const struct restore *r, size_t *ret_n)
{
	*ret_n = file_set_of(r) ? file_set_of(r)->files.n : 0;
	return file_set_of(r) ? file_set_of(r)->files.items : NULL;
}

int file_restore_needs(const struct restore *r)
{
	for (size_t i = 0; i < file_set_of(r)->files.n; i++) {
		struct file *f = file_set_of(r)->files.items[i];

		if (!f->kind->needs)
			continue;
		LOG_SCOPE("file %u (%s)", f->id, f->kind->name);
		TRY(restore_go_on(r, f->kind->needs(r, f)));
	}
	if (file_set_of(r)->locks.n)
		(void)needs_add(r, NEED_OPTION, "--file-locks", "%zu lock%s on files", file_set_of(r)->locks.n,
				file_set_of(r)->locks.n == 1 ? "" : "s");
	return 0;
}

/* --- for restore --copies --- */

int file_restore_copies(const struct restore *r)
{
	for (size_t i = 0; i < file_set_of(r)->files.n; i++) {
		struct file *f = file_set_of(r)->files.items[i];

		if (!f->kind->copies)
			continue;
		LOG_SCOPE("file %u (%s)", f->id, f->kind->name);
		TRY(restore_go_on(r, f->kind->copies(r, f)));
	}
	return restore_go_on(r, locks_check_copies(r));
}

/* --- the end --- */

static int settle_file(struct restore *r, struct file *f)
{
	LOG_SCOPE("file %u (%s)", f->id, f->kind->name);
	TRY(phase_pass_restore(r, PHASE_restore_settle, "file", f->kind->name));
	return f->kind->settle(r, f);
}

static int set_owner(struct restore *r, const struct late_owner *late)
{
	int fd;

	LOG_SCOPE("file %u (%s)", late->file->id, late->file->kind->name);
	if (late->file->fd >= 0) { /* else nobody has it: it tells the path of another one, a terminal */
		TRY(file_get_fd(r, late->file, &fd));
		TRY(file_apply_owner(r, fd, late->owner));
	}
	file_put(r, late->file);
	return 0;
}

int file_restore_settle(struct restore *r)
{
	struct file_set *files = file_set_of(r);

	for (size_t i = 0; i < files->files.n; i++)
		if (files->files.items[i]->kind->settle)
			TRY(settle_file(r, files->files.items[i]));
	TRY(locks_settle(r)); /* before its owner can be told */
	for (size_t i = 0; i < files->owners.n; i++)
		TRY(set_owner(r, &files->owners.items[i]));
	files->owners.n = 0;
	return 0;
}

int file_restore_resume(struct restore *r)
{
	for (unsigned i = 0; file_kinds[i]; i++)
		if (file_kinds[i]->resume) {
			TRY(phase_pass_restore(r, PHASE_restore_resume, "file", file_kinds[i]->name));
			TRY(file_kinds[i]->resume(r));
		}
	return 0;
}

void file_restore_clean(struct restore *r)
{
	if (!file_set_of(r))
		return;
	for (unsigned i = 0; file_kinds[i]; i++)
		if (file_kinds[i]->clean)
			file_kinds[i]->clean(r);
	state_destroy(r->states, &file_set_state);
}
