/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * While a restore opens files of a FUSE file system, a process of ours answers in the place of its server, with what
 * the kernel had of them at the dump: the server's own numbers of files, and its handle of the one that is opened next.
 * The server, which still has these, never notices.
 */
#include "object/mount/fs/fuse-serve.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fuse.h>
#include <linux/openat2.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/log.h"
#include "object/mount/mount-set.h"
#include "object/mount/mount.h"
#include "object/mount/tree.h"
#include "session/session.h"

#define REQUEST_SIZE (FUSE_MIN_READ_BUFFER + 1024 * 1024)
#define SERVED_MAX   64 /* file systems of one tree */
#define TRIES	     10000

/* What the restore tells the process. */
struct next_open {
	uint64_t node, handle;
	uint32_t open_flags;
};

struct fuse_serving {
	pid_t pid;
	struct next_open *next; /* shared with it */
};

/* --- in the process of ours --- */

struct fuse_request {
	struct fuse_in_header head;
	uint8_t body[REQUEST_SIZE];
};

static void send_answer(int server, const struct fuse_request *request, int error, const void *body, size_t size)
{
	uint8_t text[sizeof(struct fuse_out_header) + 256];
	struct fuse_out_header head = { .len = (uint32_t)(sizeof(head) + size),
					.error = -error,
					.unique = request->head.unique };

	memcpy(text, &head, sizeof(head));
	if (size)
		memcpy(text + sizeof(head), body, size);
	/* Who asked may have gone by now (ENOENT). */
	(void)!write(server, text, head.len);
}

static const FuseNode *find_node(const FuseEntry *record, uint64_t id)
{
	for (size_t i = 0; i < record->n_nodes; i++)
		if (record->nodes[i]->id == id)
			return record->nodes[i];
	return NULL;
}

static bool has_name(const FuseNode *node, uint64_t parent, const char *name)
{
	return node && node->parent == parent && strcmp(node->name, name) == 0;
}

/* Removed files may have the name that another one has now: that of the next one is meant. */
static const FuseNode *find_name(const FuseEntry *record, uint64_t parent, const char *name, uint64_t next)
{
	if (has_name(find_node(record, next), parent, name))
		return find_node(record, next);
	for (size_t i = 0; i < record->n_nodes; i++)
		if (has_name(record->nodes[i], parent, name))
			return record->nodes[i];
	return NULL;
}

/* Of no duration: whoever wants to know later asks the server. */
static struct fuse_attr attributes_of(const FuseEntry *record, uint64_t id)
{
	const FuseNode *node = find_node(record, id);

	if (!node)
		return (struct fuse_attr){ .ino = id, .mode = record->root_mode | 0755, .nlink = 2 };
	return (struct fuse_attr){ .ino = id,
				   .mode = node->mode,
				   .uid = node->uid,
				   .gid = node->gid,
				   .nlink = node->nlink ?: 1,
				   .size = node->size,
				   .blocks = (node->size + 511) / 512,
				   .blksize = 4096 };
}

static void answer_lookup(int server, const FuseEntry *record, const struct fuse_request *request, uint64_t next)
{
	const FuseNode *node = find_name(record, request->head.nodeid, (const char *)request->body, next);
	struct fuse_entry_out out = { 0 };

	if (!node) {
		send_answer(server, request, ENOENT, NULL, 0);
		return;
	}
	out.nodeid = node->id;
	out.generation = node->generation;
	out.attr = attributes_of(record, node->id);
	send_answer(server, request, 0, &out, sizeof(out));
}

static void answer_open(int server, const FuseEntry *record, const struct fuse_request *request,
			const struct next_open *next)
{
	struct fuse_open_out out = { .fh = next->handle, .open_flags = next->open_flags };
	bool dir = request->head.opcode == FUSE_OPENDIR;

	if (dir ? record->no_opendir : record->no_open)
		send_answer(server, request, ENOSYS, NULL, 0);
	else
		send_answer(server, request, 0, &out, sizeof(out));
}

/* Memory is filled before the server runs. What is mapped is read first, and overwritten: it may be anything, and the
 * kernel forgets it when all is there (forget_content()). */
static void answer_read(int server, const FuseEntry *record, const struct fuse_request *request)
{
	static uint8_t nothing[REQUEST_SIZE];
	const struct fuse_read_in *in = (const struct fuse_read_in *)request->body;
	const uint64_t size = attributes_of(record, request->head.nodeid).size,
		       left = in->offset < size ? size - in->offset : 0, wanted = in->size < left ? in->size : left;
	struct fuse_out_header head = { .unique = request->head.unique };
	const struct iovec parts[] = { { &head, sizeof(head) }, { nothing, wanted } };

	if (wanted > sizeof(nothing)) {
		send_answer(server, request, EIO, NULL, 0);
		return;
	}
	head.len = (uint32_t)(sizeof(head) + wanted);
	(void)!writev(server, parts, 2);
}

static void answer_request(int server, const FuseEntry *record, const struct fuse_request *request,
			   const struct next_open *next)
{
	struct fuse_attr_out attributes = { 0 };
	struct fuse_statfs_out system = { .st = { .bsize = 4096, .namelen = NAME_MAX, .frsize = 4096 } };

	switch (request->head.opcode) {
	case FUSE_LOOKUP:
		answer_lookup(server, record, request, next->node);
		break;
	case FUSE_GETATTR:
		attributes.attr = attributes_of(record, request->head.nodeid);
		send_answer(server, request, 0, &attributes, sizeof(attributes));
		break;
	case FUSE_OPEN:
	case FUSE_OPENDIR:
		answer_open(server, record, request, next);
		break;
	case FUSE_READ:
		answer_read(server, record, request);
		break;
	case FUSE_STATFS:
		send_answer(server, request, 0, &system, sizeof(system));
		break;
	case FUSE_ACCESS:
	case FUSE_FLUSH:
	case FUSE_RELEASE:
	case FUSE_RELEASEDIR:
		send_answer(server, request, 0, NULL, 0);
		break;
	case FUSE_FORGET:
	case FUSE_BATCH_FORGET:
	case FUSE_INTERRUPT:
		break; /* these have no answer */
	default:
		send_answer(server, request, ENOSYS, NULL, 0);
	}
}

/* A copy of us: other threads of ours may have held any lock, so system calls only, and no allocation. */
static void __attribute__((noreturn))
serve_requests(const struct mount_set *set, const struct next_open *next, pid_t parent)
{
	static struct fuse_request request;
	struct pollfd servers[SERVED_MAX];
	const FuseEntry *records[SERVED_MAX];
	nfds_t n = 0;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	for (const struct superblock *super = set->supers; super && n < SERVED_MAX; super = super->next)
		if (super->fuse) {
			servers[n] = (struct pollfd){ .fd = super->server, .events = POLLIN };
			records[n++] = super->fuse;
		}
	while (poll(servers, n, -1) >= 0 || errno == EINTR)
		for (nfds_t i = 0; i < n; i++) {
			memset(&request, 0, sizeof(request.head));
			if (servers[i].revents & POLLIN && read(servers[i].fd, &request, sizeof(request)) > 0)
				answer_request(servers[i].fd, records[i], &request, next);
		}
	_exit(0);
}

/* --- in the coordinator --- */

static void end_process(pid_t pid)
{
	if (pid <= 0)
		return;
	kill(pid, SIGKILL);
	while (waitpid(pid, NULL, __WCLONE) < 0 && errno == EINTR)
		;
}

static void destroy_serving(void *state)
{
	struct fuse_serving *serving = state;

	end_process(serving->pid);
	if (serving->next)
		munmap(serving->next, sizeof(*serving->next));
}

static const struct state_type serving_state = { sizeof(struct fuse_serving), destroy_serving };

static pid_t make_process(const struct mount_set *set, const struct next_open *next)
{
	pid_t parent = getpid(), pid;

	/* No signal at its end: nobody but us waits for it. */
	pid = (pid_t)syscall(SYS_clone, CLONE_FILES, 0, 0, 0, 0);
	if (pid == 0)
		serve_requests(set, next, parent);
	return pid;
}

/* A task may want the number that it got. */
static int make_with_free_pid(struct restore *r, struct fuse_serving *serving)
{
	for (unsigned i = 0; i < TRIES; i++) {
		pid_t pid = make_process(restore_mounts(r), serving->next), last = serving->pid;

		if (pid < 0)
			return fail_errno("making a process that answers for servers of FUSE file systems");
		serving->pid = pid;
		end_process(last);
		if (!task_tree_find_thread(r->tree, pid))
			return 0;
	}
	return refuse(EAGAIN, "all pids that are free are those of the tree");
}

int fuse_serve_begin(struct restore *r)
{
	struct fuse_serving *serving;
	const struct superblock *super = restore_mounts(r)->supers;

	while (super && !super->fuse)
		super = super->next;
	if (!super)
		return 0;
	serving = state_make(r->states, &serving_state);
	serving->next = mmap(NULL, sizeof(*serving->next), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (serving->next == MAP_FAILED) {
		serving->next = NULL;
		return fail_errno("making memory to share with a process of ours");
	}
	return make_with_free_pid(r, serving);
}

/* What the kernel has read of files from us instead of their server. */
static int forget_content(const struct superblock *super)
{
	for (size_t i = 0; i < super->fuse->n_nodes; i++) {
		struct {
			struct fuse_out_header head;
			struct fuse_notify_inval_inode_out body;
		} notice = { .head = { .len = sizeof(notice), .error = FUSE_NOTIFY_INVAL_INODE },
			     .body.ino = super->fuse->nodes[i]->id };

		if (S_ISREG(super->fuse->nodes[i]->mode) && write(super->server, &notice, sizeof(notice)) < 0 &&
		    errno != ENOENT) /* nobody has it any more */
			return fail_errno("letting the kernel forget what it has read of %s",
					  super->fuse->nodes[i]->name);
	}
	return 0;
}

int fuse_serve_end(struct restore *r)
{
	const struct superblock *super = restore_mounts(r) ? restore_mounts(r)->supers : NULL;
	int error = 0;

	for (; super && !error; super = super->next)
		error = super->fuse ? forget_content(super) : 0;
	state_destroy(r->states, &serving_state);
	return error;
}

/* --- opening --- */

static int find_path(const struct restore *r, const struct superblock *super, uint64_t id, char **ret)
{
	const FuseNode *node = find_node(super->fuse, id);
	char *path = NULL;

	for (size_t depth = 0; node && node->parent && depth <= super->fuse->n_nodes; depth++) {
		path = path ? pool_printf(r->pool, "%s/%s", node->name, path) : node->name;
		node = find_node(super->fuse, node->parent);
	}
	if (id != FUSE_ROOT_ID && (!path || !node))
		return refuse(EINVAL, "fuse-%u.img does not have its node %lu", super->dev, (unsigned long)id);
	*ret = path ?: pool_string(r->pool, ".");
	return 0;
}

/* The kernel knows it by no name any more, as it was. */
static void forget_name(const struct superblock *super, uint64_t id)
{
	const FuseNode *node = find_node(super->fuse, id);
	struct {
		struct fuse_out_header head;
		struct fuse_notify_inval_entry_out body;
		char name[NAME_MAX + 1];
	} notice = { .head.error = FUSE_NOTIFY_INVAL_ENTRY, .body.parent = node->parent };

	notice.body.namelen = (uint32_t)strnlen(node->name, NAME_MAX);
	memcpy(notice.name, node->name, notice.body.namelen);
	notice.head.len = (uint32_t)(offsetof(typeof(notice), name) + notice.body.namelen + 1);
	if (write(super->server, &notice, notice.head.len) < 0)
		log_warn("%s is there again by this name, until its server is asked: %s", node->name, strerror(errno));
}

static const struct superblock *find_super(const struct restore *r, uint32_t dev)
{
	const struct superblock *super = restore_mounts(r) ? restore_mounts(r)->supers : NULL;

	while (super && (super->dev != dev || !super->fuse))
		super = super->next;
	return super;
}

/* Should we be killed, the kernel closes our descriptors in their order: the connection first, as who closes a file
 * waits for an answer by it. */
static int put_behind(int server, int *fd)
{
	AUTO_CLOSE int first = *fd;

	if (first > server) {
		TAKE_FD(first);
		return 0;
	}
	*fd = fcntl(first, F_DUPFD_CLOEXEC, server + 1);
	return *fd < 0 ? fail_errno("duplicating a descriptor") : 0;
}

int mount_restore_fuse_open(struct restore *r, int mnt_id, const FuseFileEntry *record, uint32_t flags, int *ret_fd)
{
	struct open_how how = { .flags = flags | O_CLOEXEC, .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS };
	const struct fuse_serving *serving = state_find(r->states, &serving_state);
	const struct superblock *super = find_super(r, record->connection);
	const struct mount *m, *mount = NULL;
	char *path = NULL;

	if (!super || !serving)
		return refuse(EINVAL, "files.img: it is of a file system that is not in the images");
	for_each_mount(m, restore_mounts(r))
		if (m->super == super && (!mount || m->entry->mnt_id == (uint32_t)mnt_id))
			mount = m;
	TRY(find_path(r, super, record->node, &path));
	*serving->next = (struct next_open){ record->node, record->handle, record->open_flags };
	*ret_fd = (int)syscall(SYS_openat2, mount->fd, path, &how, sizeof(how));
	if (*ret_fd < 0)
		return fail_errno("opening %s on %s", path, mount->entry->mountpoint);
	TRY(put_behind(super->server, ret_fd));
	if (record->removed && record->node != FUSE_ROOT_ID)
		forget_name(super, record->node);
	return 0;
}
