// SPDX-License-Identifier: GPL-2.0-only
/* A BPF file system keeps its directories, links and pinned maps, with content, owners and modes; descriptors of a map
 * and its names stay the same map. */
#include <linux/bpf.h>
#include <sched.h>
#include <sys/mount.h>

#include "subject.h"

SUBJECT()

static int bpf(int command, union bpf_attr *attr)
{
	return (int)syscall(SYS_bpf, command, attr, sizeof(*attr));
}

static int create(unsigned type, const char *name, unsigned flags)
{
	union bpf_attr attr = {
		.map_type = type, .key_size = 4, .value_size = 8, .max_entries = 16, .map_flags = flags
	};
	int fd;

	strcpy(attr.map_name, name);
	fd = bpf(BPF_MAP_CREATE, &attr);
	if (fd < 0)
		skip("bpf: %s", strerror(errno));
	return fd;
}

static int pin(int command, int fd, const char *path)
{
	union bpf_attr attr = { .bpf_fd = (uint32_t)fd };

	attr.pathname = (uint64_t)(uintptr_t)path;
	return bpf(command, &attr);
}

static int set(int fd, uint32_t key, uint64_t value)
{
	union bpf_attr attr = { .map_fd = (uint32_t)fd };

	attr.key = (uint64_t)(uintptr_t)&key;
	attr.value = (uint64_t)(uintptr_t)&value;
	return bpf(BPF_MAP_UPDATE_ELEM, &attr);
}

static uint64_t get(int fd, uint32_t key)
{
	union bpf_attr attr = { .map_fd = (uint32_t)fd };
	uint64_t value = 0;

	attr.key = (uint64_t)(uintptr_t)&key;
	attr.value = (uint64_t)(uintptr_t)&value;
	return bpf(BPF_MAP_LOOKUP_ELEM, &attr) < 0 ? UINT64_MAX : value;
}

static struct bpf_map_info info_of(int fd)
{
	struct bpf_map_info info = { 0 };
	union bpf_attr attr = { .info = { .bpf_fd = (uint32_t)fd, .info_len = sizeof(info) } };

	attr.info.info = (uint64_t)(uintptr_t)&info;
	must(bpf(BPF_OBJ_GET_INFO_BY_FD, &attr));
	return info;
}

int main(void)
{
	int held = create(BPF_MAP_TYPE_HASH, "held", 0), lost = create(BPF_MAP_TYPE_HASH, "lost", BPF_F_NO_PREALLOC);
	int frozen = create(BPF_MAP_TYPE_ARRAY, "frozen", 0);
	union bpf_attr attr = { .map_fd = (uint32_t)frozen };
	char target[8];
	struct stat st, other;
	int again;

	must(unshare(CLONE_NEWNS));
	must(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	must(mkdir("m", 0700));
	must(mkdir("r", 0700));
	if (mount("bpf", "m", "bpf", 0, NULL) < 0 || mount("bpf", "r", "bpf", 0, NULL) < 0)
		skip("this kernel has no bpf file system");
	must(mkdir("m/dir", 0751));
	must(mkdir("m/dir/deep", 0700));
	must(set(held, 3, 33));
	must(set(lost, 4, 44));
	must(set(frozen, 5, 55));
	must(bpf(BPF_MAP_FREEZE, &attr));
	must(pin(BPF_OBJ_PIN, held, "m/held"));
	must(pin(BPF_OBJ_PIN, held, "m/dir/deep/twice"));
	must(pin(BPF_OBJ_PIN, lost, "m/dir/lost"));
	must(pin(BPF_OBJ_PIN, frozen, "r/frozen"));
	must(link("m/dir/lost", "m/dir/deep/link"));
	must(symlink("../held", "m/dir/symbolic"));
	must(chmod("m/dir/lost", 0640));
	must(chown("m/dir/lost", 1, 2));
	must(mount(NULL, "r", NULL, MS_REMOUNT | MS_RDONLY, NULL));
	must(close(lost));
	must(close(frozen));

	checkpoint();

	CHECK_EQUAL(get(held, 3), 33);
	again = pin(BPF_OBJ_GET, 0, "m/dir/deep/twice");
	CHECK_EQUAL(info_of(again).id, info_of(held).id);
	CHECK_EQUAL(strcmp(info_of(again).name, "held"), 0);
	CHECK_EQUAL(info_of(pin(BPF_OBJ_GET, 0, "m/dir/symbolic")).id, info_of(held).id);
	lost = pin(BPF_OBJ_GET, 0, "m/dir/lost");
	CHECK_EQUAL(get(lost, 4), 44);
	CHECK_EQUAL(get(lost, 5), UINT64_MAX);
	CHECK_EQUAL(info_of(lost).map_flags, BPF_F_NO_PREALLOC);
	CHECK_EQUAL(set(lost, 5, 6), 0);
	CHECK_EQUAL(get(pin(BPF_OBJ_GET, 0, "m/dir/deep/link"), 5), 6);
	CHECK(stat("m/dir/lost", &st) == 0 && stat("m/dir/deep/link", &other) == 0 && st.st_ino == other.st_ino);
	CHECK((st.st_mode & 07777) == 0640 && st.st_uid == 1 && st.st_gid == 2 && st.st_nlink == 2);
	CHECK(stat("m/dir", &st) == 0 && (st.st_mode & 07777) == 0751);
	CHECK(stat("m/held", &st) == 0 && (st.st_mode & 07777) == 0600);
	CHECK_EQUAL(readlink("m/dir/symbolic", target, sizeof(target)), 7);
	attr = (union bpf_attr){ .file_flags = BPF_F_RDONLY };
	attr.pathname = (uint64_t)(uintptr_t) "r/frozen";
	frozen = bpf(BPF_OBJ_GET, &attr);
	CHECK_EQUAL(get(frozen, 5), 55);
	CHECK_EQUAL(pin(BPF_OBJ_GET, 0, "r/frozen"), -1);
	attr = (union bpf_attr){ .map_id = info_of(frozen).id };
	frozen = bpf(BPF_MAP_GET_FD_BY_ID, &attr);
	CHECK(set(frozen, 5, 1) < 0 && errno == EPERM);
	CHECK(pin(BPF_OBJ_PIN, held, "r/more") < 0 && errno == EROFS);
	CHECK_EQUAL(pin(BPF_OBJ_PIN, held, "m/dir/more"), 0);
	return 0;
}
