/* SPDX-License-Identifier: GPL-2.0-only */
/* Names of unix sockets: in the file system, relative, removed, abstract. */
#include "object/socket/unix/name.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/file.h"
#include "base/log.h"
#include "base/pool.h"
#include "base/text.h"
#include "kern/net/sockdiag.h"
#include "object/mount/mount.h"
#include "object/socket/socket.h"
#include "object/socket/unix/made.h"
#include "object/socket/unix/maker.h"
#include "object/socket/unix/unix.h"
#include "session/ids.h"

#ifndef SIOCUNIXFILE
#define SIOCUNIXFILE (SIOCPROTOPRIVATE + 0) /* Linux 4.11 */
#endif

#define NAME_OFFSET offsetof(struct sockaddr_un, sun_path)
#define DELETED	    " (deleted)"

/* --- dump --- */

/* Where the socket file is now, as this process sees it; -ENOENT, unlogged, if it is unlinked. */
static int find_file(int file, const struct stat *st, char *path, size_t capacity)
{
	char link[32];
	ssize_t length;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", file);
	length = file_readlink(AT_FDCWD, link, path, capacity);
	if (length < 0)
		return fail((int)-length, "cannot read the path of the socket file");
	if (text_ends(path, DELETED))
		path[length - (ssize_t)strlen(DELETED)] = '\0';
	return st->st_nlink ? 0 : -ENOENT;
}

static bool is_same_file(int dir, const char *path, const struct stat *st)
{
	struct stat other;

	return !fstatat(dir, path, &other, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) && other.st_ino == st->st_ino &&
	       other.st_dev == st->st_dev;
}

/* The directory that a relative name starts at: the task's, if it has not moved since, else what stands before the
 * name. */
static char *find_directory(const struct dump *d, const struct open_file *of, const char *path, const char *name,
			    const struct stat *st)
{
	AUTO_CLOSE int cwd = openat(of->task->dump->proc, "cwd", O_PATH | O_CLOEXEC);
	char text[PATH_MAX];
	char *directory;

	if (cwd >= 0 && is_same_file(cwd, name, st) &&
	    file_readlink(of->task->dump->proc, "cwd", text, sizeof(text)) > 0)
		return pool_string(d->pool, text);
	directory = pool_string(d->pool, path);
	/* A link in the name may lead to where it is: then it starts at a directory above, perhaps. */
	for (char *slash = strrchr(directory, '/'); slash && slash > directory; slash = strrchr(directory, '/')) {
		*slash = '\0';
		if (is_same_file(AT_FDCWD, pool_printf(d->pool, "%s/%s", directory, name), st))
			return directory;
	}
	directory = pool_string(d->pool, path);
	if (text_ends(path, name) && strlen(path) > strlen(name) + 1)
		directory[strlen(path) - strlen(name) - 1] = '\0';
	else if (strrchr(directory, '/') > directory)
		*strrchr(directory, '/') = '\0';
	return directory;
}

/* The name as it was bound, links on its way and all, leads to the file still. */
static bool leads_to_file(const struct open_file *of, const UnixSkEntry *entry, const struct stat *st)
{
	const struct open_how how = { .flags = O_PATH | O_NOFOLLOW | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT };
	const char *name = (const char *)entry->name.data;
	AUTO_CLOSE int root = openat(of->task->dump->proc, "root", O_PATH | O_CLOEXEC), dir = -1, file = -1;

	if (root < 0)
		return false;
	if (name[0] == '/') {
		file = (int)syscall(SYS_openat2, root, name, &how, sizeof(how));
		return file >= 0 && is_same_file(file, "", st);
	}
	dir = open(entry->name_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return dir >= 0 && is_same_file(dir, name, st);
}

/* SIOCUNIXFILE takes CAP_NET_ADMIN. Without it: what bears the name now, if it is the file that the kernel's table
 * tells of. */
static int look_for_file(const struct dump *d, const struct open_file *of, const char *name)
{
	AUTO_CLOSE int start = openat(of->task->dump->proc, name[0] == '/' ? "root" : "cwd", O_PATH | O_CLOEXEC);
	AUTO_CLOSE int file = start < 0 ? -1 : openat(start, name + strspn(name, "/"), O_PATH | O_NOFOLLOW | O_CLOEXEC);
	const struct unix_diag *diag;
	struct stat st;

	TRY(socket_find_unix(d, (uint32_t)of->stat.st_ino, &diag));
	if (file >= 0 && fstat(file, &st) == 0 && diag->file_ino == (uint32_t)st.st_ino &&
	    diag->file_dev == (major(st.st_dev) << 20 | minor(st.st_dev)))
		return TAKE_FD(file);
	return refuse(EPERM, "finding the file of the socket named %s, which was moved or removed, takes CAP_NET_ADMIN",
		      name);
}

static int open_file_of(const struct dump *d, const struct open_file *of, const char *name)
{
	int file = ioctl(of->fd, SIOCUNIXFILE);

	if (file < 0 && errno == EPERM)
		return look_for_file(d, of, name);
	return file < 0 ? fail_errno("cannot open the file of the socket named %s", name) : file;
}

static void note_mount(const struct dump *d, int file, UnixSkEntry *entry)
{
	struct statx stx;

	if (statx(file, "", AT_EMPTY_PATH, STATX_MNT_ID, &stx) < 0 || mount_dump_id(d, (int)stx.stx_mnt_id) <= 0)
		return;
	entry->has_mnt_id = true;
	entry->mnt_id = (int)stx.stx_mnt_id;
}

/* Another mount lies upon it: bind(2) takes nothing but a path. */
static bool is_covered(const struct dump *d, const struct open_file *of, const UnixSkEntry *entry, const char *path,
		       const struct stat *st)
{
	const struct open_how how = { .flags = O_PATH | O_NOFOLLOW | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT };
	AUTO_CLOSE int file = -1;

	if (entry->name.data[0] != '/' || !mount_dump_has(d, entry->has_mnt_id ? entry->mnt_id : 0))
		return false;
	file = (int)syscall(SYS_openat2, mount_dump_root_of(d, of->task, entry->mnt_id), path, &how, sizeof(how));
	return file < 0 || !is_same_file(file, "", st);
}

static int dump_path(const struct dump *d, const struct open_file *of, UnixSkEntry *entry)
{
	const char *name = (const char *)entry->name.data;
	AUTO_CLOSE int file = open_file_of(d, of, name);
	char path[PATH_MAX];
	struct stat st;
	int result;

	TRY(file);
	if (fstat(file, &st) < 0)
		return fail_errno("cannot ask about the file of the socket named %s", name);
	note_mount(d, file, entry);
	result = find_file(file, &st, path, sizeof(path));
	if (result < 0 && result != -ENOENT)
		return result;
	entry->file_perms = pool_new(d->pool, FilePermsEntry);
	file_perms_entry__init(entry->file_perms);
	entry->file_perms->mode = st.st_mode;
	entry->file_perms->uid = dump_inner_uid(d, st.st_uid);
	entry->file_perms->gid = dump_inner_gid(d, st.st_gid);
	if (name[0] != '/')
		entry->name_dir = find_directory(d, of, path, name, &st);
	/* A file that was renamed cannot be put there by bind(2) under its old name: nothing but the name is kept of
	 * it. */
	if (!result && !leads_to_file(of, entry, &st) &&
	    !text_ends(path, name[0] == '/'	  ? name
			     : strrchr(name, '/') ? strrchr(name, '/')
						  : name)) {
		log_warn("The socket named %s is now found as %s; after a restore it will not be", name, path);
		result = -ENOENT;
	}
	if (!result && !leads_to_file(of, entry, &st) && is_covered(d, of, entry, path, &st)) {
		log_warn("The socket named %s lies below another mount: after a restore its file will not be there",
			 name);
		result = -ENOENT;
	}
	if (result < 0)
		entry->has_deleted = entry->deleted = true;
	return 0;
}

int unix_dump_name(const struct dump *d, const struct open_file *of, UnixSkEntry *entry)
{
	struct sockaddr_un address = { 0 };
	socklen_t size = sizeof(address);

	if (getsockname(of->fd, (struct sockaddr *)&address, &size) < 0)
		return fail_errno("cannot ask for the name of the socket");
	if (size <= NAME_OFFSET)
		return 0;
	entry->name.len = size - NAME_OFFSET;
	/* A name of 108 bytes has no NUL: the copy gets one, which is not counted. */
	entry->name.data = pool_alloc(d->pool, entry->name.len + 1);
	memcpy(entry->name.data, address.sun_path,
	       entry->name.len > sizeof(address.sun_path) ? sizeof(address.sun_path) : entry->name.len);
	return entry->name.data[0] ? dump_path(d, of, entry) : 0;
}

/* --- restore --- */

int unix_check_name(const UnixSkEntry *entry)
{
	const size_t max = sizeof(((struct sockaddr_un *)NULL)->sun_path) + 1;

	if (entry->name.len > max)
		return refuse(EINVAL, "its name has %zu bytes", entry->name.len);
	if (entry->outside && entry->outside->name.len > max)
		return refuse(EINVAL, "the name of its peer has %zu bytes", entry->outside->name.len);
	if (!unix_is_path(entry))
		return 0;
	if (entry->name.data[0] != '/' && !entry->deleted && (!entry->name_dir || entry->name_dir[0] != '/'))
		return refuse(EINVAL, "its name is relative, but there is no directory for it");
	return 0;
}

static socklen_t make_address(const UnixSkEntry *entry, struct sockaddr_un *address)
{
	size_t length = entry->name.len;

	if (length > sizeof(address->sun_path))
		length = sizeof(address->sun_path);
	memset(address, 0, sizeof(*address));
	address->sun_family = AF_UNIX;
	memcpy(address->sun_path, entry->name.data, length);
	return NAME_OFFSET + length;
}

void unix_print_name(const ProtobufCBinaryData *name, char *to, size_t capacity)
{
	size_t n = name->len < capacity - 1 ? name->len : capacity - 1;

	if (n)
		memcpy(to, name->data, n);
	to[n] = '\0';
	if (n && to[0])
		return;
	for (size_t i = 0; i < n; i++)
		to[i] = to[i] ? to[i] : '@';
}

static int bind_socket(int fd, const UnixSkEntry *entry)
{
	struct sockaddr_un address;
	socklen_t size = make_address(entry, &address);
	char name[128];

	if (!bind(fd, (struct sockaddr *)&address, size))
		return 0;
	unix_print_name(&entry->name, name, sizeof(name));
	if (errno == EADDRINUSE)
		return refuse(EADDRINUSE,
			      "another process has a unix socket of the name %s: end it before the restore (ss -xap)",
			      name);
	return fail_errno("cannot bind a unix socket to %s", name);
}

int unix_check_free(const UnixSkEntry *entry)
{
	AUTO_CLOSE int fd = socket(AF_UNIX, (int)entry->type | SOCK_CLOEXEC, 0);

	return fd < 0 ? fail_errno("cannot make a unix socket") : bind_socket(fd, entry);
}

/* A step that needs a root and a current directory of its own: it runs in a thread that lives as long as the step. */
struct own_fs {
	int (*run)(struct own_fs *own);
	struct restore *r;
	const UnixSkEntry *entry;
	int fd;
	int root, dir;	/* -1: unchanged */
	int file;	/* what was bound, -1: not yet */
	bool elsewhere; /* it is not in the directory that was meant */
	int result;
};

static void *run_with_own_fs(void *arg)
{
	struct own_fs *own = arg;

	if (unshare(CLONE_FS) < 0)
		own->result = fail_errno("cannot get a root directory of its own (unshare CLONE_FS)");
	else if (own->root >= 0 && (fchdir(own->root) < 0 || chroot(".") < 0))
		own->result = fail_errno("cannot enter the root directory for binding a socket");
	else if (own->dir >= 0 && fchdir(own->dir) < 0)
		own->result = fail_errno("cannot enter the directory for binding a socket");
	else
		own->result = own->run(own);
	return NULL;
}

static int with_own_fs(struct own_fs *own)
{
	pthread_t thread;
	int error = pthread_create(&thread, NULL, run_with_own_fs, own);

	if (error)
		return fail(error, "cannot start a thread");
	pthread_join(thread, NULL);
	return own->result;
}

static int make_directories(char *path)
{
	for (char *at = strchr(path + 1, '/'); at; at = strchr(at + 1, '/')) {
		*at = '\0';
		if (mkdir(path, 0700) < 0 && errno != EEXIST)
			return fail_errno("cannot make the directory %s for binding a socket", path);
		*at = '/';
	}
	return 0;
}

static int bind_in_hiding(struct own_fs *own)
{
	char path[sizeof(((struct sockaddr_un *)NULL)->sun_path) + 2] = "";

	memcpy(path, own->entry->name.data, own->entry->name.len);
	TRY(make_directories(path));
	TRY(bind_socket(own->fd, own->entry));
	if (unlink(path) < 0)
		return fail_errno("cannot remove the socket file %s that was made for its name only", path);
	return 0;
}

/*
 * A file system that nobody else sees and that is gone with the last socket bound in it: whatever lies at the real
 * path, nothing has to be moved out of the way and nothing can be left behind.
 */
static int open_hiding_place(void)
{
	AUTO_CLOSE int fs = syscall(SYS_fsopen, "tmpfs", 1 /* FSOPEN_CLOEXEC */);
	int mount;

	if (fs < 0 || syscall(SYS_fsconfig, fs, 6 /* FSCONFIG_CMD_CREATE */, NULL, NULL, 0) < 0)
		return fail_errno("cannot make a tmpfs for the names of sockets");
	mount = syscall(SYS_fsmount, fs, 1 /* FSMOUNT_CLOEXEC */, 0);
	return mount < 0 ? fail_errno("cannot mount a tmpfs for the names of sockets") : mount;
}

int unix_bind_hidden(const UnixSkEntry *entry, int fd)
{
	AUTO_CLOSE int place = -1;

	if (!unix_is_path(entry))
		return bind_socket(fd, entry);
	place = open_hiding_place();
	TRY(place);
	return with_own_fs(
		&(struct own_fs){ .run = bind_in_hiding, .entry = entry, .fd = fd, .root = place, .dir = -1 });
}

/* /proc/net/unix knows the bound sockets but not their files; a connection attempt tells without being seen by a
 * datagram server. */
static bool has_living_server(const UnixSkEntry *entry)
{
	AUTO_CLOSE int probe = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un address;
	socklen_t size = make_address(entry, &address);

	if (probe < 0 || !connect(probe, (struct sockaddr *)&address, size))
		return true;
	/* EPROTOTYPE: a stream socket is bound there. ECONNREFUSED: nobody is. */
	return errno == EPROTOTYPE;
}

/* What an old one has left makes room. dir: of the path, which may lead elsewhere by now. */
static int remove_old(const UnixSkEntry *entry, int dir, const char *base, const char *path)
{
	struct stat st;

	if (fstatat(dir, base, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	if (!S_ISSOCK(st.st_mode))
		return refuse(EEXIST, "%s was a socket and is now another file: move it away", path);
	if (has_living_server(entry))
		return refuse(EADDRINUSE, "another process has a socket bound to %s: end it before the restore", path);
	return unlinkat(dir, base, 0) < 0 ? fail_errno("cannot remove the old socket file %s", path) : 0;
}

/* Without CAP_NET_ADMIN: whatever bears the name. */
static int open_bound(int fd, int dir, const char *base)
{
	int file = ioctl(fd, SIOCUNIXFILE);

	return file < 0 && errno == EPERM ? openat(dir, base, O_PATH | O_NOFOLLOW | O_CLOEXEC) : file;
}

/*
 * The directory may belong to a user who puts a link in its place meanwhile: it is opened once. bind(2) itself takes
 * nothing but the path, so it is looked at afterwards where the file is.
 */
static int bind_to_path(struct own_fs *own)
{
	const UnixSkEntry *entry = own->entry;
	char path[sizeof(((struct sockaddr_un *)NULL)->sun_path) + 2] = "", above[sizeof(path)] = ".";
	const char *base;
	AUTO_CLOSE int dir = -1;
	struct stat st;
	bool fresh;

	memcpy(path, entry->name.data, entry->name.len);
	base = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
	if (base != path)
		snprintf(above, sizeof(above), "%.*s", (int)(base - path), path);
	dir = open(above, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return fail_errno("cannot open %s, the directory of a socket name", above);
	fresh = fstatat(dir, base, &st, AT_SYMLINK_NOFOLLOW) < 0;
	TRY(remove_old(entry, dir, base, path));
	TRY(bind_socket(own->fd, entry));
	own->file = open_bound(own->fd, dir, base);
	if (own->file < 0 || fstat(own->file, &st) < 0)
		return fail_errno("cannot open the socket file %s", path);
	own->elsewhere = !is_same_file(dir, base, &st);
	if (fresh && !own->elsewhere)
		unix_made_note(own->r, dir, base, &st);
	return own->elsewhere ? refuse(EBUSY, "somebody changes the directory of %s during the restore", path) : 0;
}

/* The file that bind(2) has made where it was not meant to be. */
static void remove_elsewhere(int file)
{
	char link[32], path[PATH_MAX];
	AUTO_CLOSE int dir = -1;
	struct stat st;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", file);
	if (file_readlink(AT_FDCWD, link, path, sizeof(path)) <= 0 || !strrchr(path, '/') || fstat(file, &st) < 0)
		return;
	*strrchr(path, '/') = '\0';
	dir = open(path[0] ? path : "/", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir >= 0 && is_same_file(dir, path + strlen(path) + 1, &st))
		(void)unlinkat(dir, path + strlen(path) + 1, 0);
}

static int set_perms(const struct restore *r, const UnixSkEntry *entry, int file)
{
	char link[32], name[128];

	if (!entry->file_perms)
		return 0;
	unix_print_name(&entry->name, name, sizeof(name));
	snprintf(link, sizeof(link), "/proc/self/fd/%d", file);
	if (fchownat(file, "", restore_outer_uid(r, entry->file_perms->uid),
		     restore_outer_gid(r, entry->file_perms->gid), AT_EMPTY_PATH) < 0)
		return fail_errno("cannot set the owner of %s", name);
	if (chmod(link, entry->file_perms->mode & 07777) < 0)
		return fail_errno("cannot set the permissions of %s", name);
	return 0;
}

/* In whatever root and current directory: then from ours. */
static int bind_and_own(struct own_fs *own)
{
	int result = own->root < 0 && own->dir < 0 ? own->run(own) : with_own_fs(own);

	if (own->file >= 0 && own->elsewhere)
		remove_elsewhere(own->file);
	else if (result == 0)
		result = set_perms(own->r, own->entry, own->file);
	if (own->file >= 0)
		close(own->file);
	return result;
}

/* The root of the mount namespace that its file lies in. */
static int name_root(const struct restore *r, const UnixSkEntry *entry)
{
	return mount_restore_root(r, entry->has_mnt_id ? entry->mnt_id : -1);
}

int unix_open_root(struct restore *r, const struct unix_socket *socket, int *ret)
{
	AUTO(mount_stay_end) struct mount_stay stay = MOUNT_STAY_NOWHERE;
	const struct task *owner = socket->file->owner;
	const struct file *root =
		owner && file_directories_of(owner) ? file_find(r, file_directories_of(owner)->root_id) : NULL;
	const RegFileEntry *record = root ? root->entry->reg : NULL;
	int base =
		record ? mount_restore_root(r, record->has_mnt_id ? record->mnt_id : -1) : name_root(r, socket->entry);

	*ret = -1;
	if (base < 0 && (!record || !strcmp(record->name, "/")))
		return 0;
	TRY(mount_stay_begin(base, &stay));
	*ret = open(record ? record->name : "/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return *ret < 0 ? fail_errno("cannot open the root directory %s of a task", record ? record->name : "/") : 0;
}

static int open_name_dir(struct restore *r, const UnixSkEntry *entry)
{
	AUTO(mount_stay_end) struct mount_stay stay = MOUNT_STAY_NOWHERE;
	int mnt_id = entry->has_mnt_id ? entry->mnt_id : -1, covered;
	struct mount_place place;
	AUTO_CLOSE int dir = -1;

	mount_restore_place(r, mnt_id, entry->name_dir, &place);
	TRY(mount_stay_begin(place.root, &stay));
	dir = open(*place.path ? place.path : "/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	mount_stay_end(&stay);
	if (place.exact && (dir < 0 || !mount_restore_is_on(r, mnt_id, dir)) &&
	    mount_restore_open_covered(r, mnt_id, place.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, &covered) == 0) {
		auto_close(&dir);
		dir = covered;
	}
	return dir < 0 ? fail_errno("cannot open %s, the directory of a socket name", entry->name_dir) : TAKE_FD(dir);
}

int unix_bind(struct restore *r, const struct unix_socket *socket, int fd)
{
	const UnixSkEntry *entry = socket->entry;
	AUTO_CLOSE int root = -1, dir = -1;
	struct own_fs own = {
		.run = bind_to_path, .r = r, .entry = entry, .fd = fd, .root = -1, .dir = -1, .file = -1
	};

	if (!unix_is_path(entry))
		return bind_socket(fd, entry);
	if (entry->deleted)
		return unix_bind_hidden(entry, fd);
	if (entry->name.data[0] != '/') {
		own.dir = dir = open_name_dir(r, entry);
		TRY(dir);
		return bind_and_own(&own);
	}
	TRY(unix_open_root(r, socket, &root));
	own.root = root;
	return bind_and_own(&own);
}

int unix_connect_name(struct restore *r, const struct unix_socket *client, int fd, const UnixSkEntry *to)
{
	struct unix_target target = { .file = -1 };
	char name[128];
	int error;

	target.size = make_address(to, &target.address);
	error = unix_connect_as(r, client, fd, &target);
	if (!error)
		return 0;
	unix_print_name(&to->name, name, sizeof(name));
	return fail(-error, "cannot connect a unix socket to %s", name);
}

int unix_address(const struct unix_socket *to, struct sockaddr_un *address, socklen_t *size, int *ret_file)
{
	int file;

	*size = make_address(to->entry, address);
	*ret_file = -1;
	if (!unix_is_path(to->entry))
		return 0;
	file = ioctl(to->file->fd, SIOCUNIXFILE);
	if (file < 0)
		return fail_errno("cannot open the file of a unix socket");
	*size = NAME_OFFSET +
		(socklen_t)snprintf(address->sun_path, sizeof(address->sun_path), "/proc/self/fd/%d", file) + 1;
	*ret_file = file;
	return 0;
}

/* The file of a socket is found through its O_PATH descriptor even when no path leads there. */
int unix_connect(struct restore *r, const struct unix_socket *client, int fd, const struct unix_socket *to, int to_fd)
{
	AUTO_CLOSE int file = -1;
	char name[128];
	int error;

	if (!unix_is_path(to->entry))
		return unix_connect_name(r, client, fd, to->entry);
	file = ioctl(to_fd, SIOCUNIXFILE);
	if (file < 0)
		return fail_errno("cannot open the file of a unix socket");
	error = unix_connect_as(r, client, fd, &(struct unix_target){ .file = file });
	unix_print_name(&to->entry->name, name, sizeof(name));
	return error < 0 ? fail(-error, "cannot connect a unix socket to %s", name) : 0;
}
