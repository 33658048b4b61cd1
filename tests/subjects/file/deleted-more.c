// SPDX-License-Identifier: GPL-2.0-only
/* Deleted files: of another user, mapped only, shared by a child, twice under one name, a name that is a directory now,
 * a socket, a link. */
#include <sys/socket.h>
#include <sys/un.h>

#include "subject.h"

SUBJECT()

static int shared, own;
static char *map;

static int work(void *arg)
{
	char text[8];

	must(close(shared));
	shared = must(open("shared", O_RDWR));
	must(unlink("shared"));
	wait_for_restore();
	CHECK_EQUAL(pread(shared, text, 8, 0), 6);
	CHECK(!memcmp(text, "shared", 6));
	map[1] = 'C';
	must(pwrite(shared, "S", 1, 0));
	return 0;
}

static int make(const char *name, const char *text, mode_t mode)
{
	int fd = must(open(name, O_RDWR | O_CREAT | O_EXCL, 0600));

	must(write(fd, text, strlen(text)));
	must(fchmod(fd, mode));
	return fd;
}

int main(void)
{
	struct stat st;
	char text[16];

	own = make("own", "own", 0);
	must(fchown(own, 1234, 4321));
	must(fchmod(own, 04000));
	must(unlink("own"));
	shared = make("shared", "shared", 0600);
	int mapped = make("mapped", "mapped", 0400);
	map = must(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, mapped, 0));
	char *private = must(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, mapped, 0));
	private[2] = 'P';
	must(close(mapped));
	must(unlink("mapped"));
	int one = make("again", "one", 0600);
	must(unlink("again"));
	int two = make("again", "two", 0600);
	must(unlink("again"));
	must(mkdir("again", 0700));
	must(symlink("nowhere", "link"));
	int link = must(open("link", O_PATH | O_NOFOLLOW));
	must(unlink("link"));
	int path = must(open("again", O_PATH));
	struct sockaddr_un name = { AF_UNIX, "socket" };
	int listener = must(socket(AF_UNIX, SOCK_STREAM, 0));
	must(bind(listener, (void *)&name, sizeof(name)));
	must(listen(listener, 5));
	int node = must(open("socket", O_PATH));
	must(unlink("socket"));
	int empty = make("with space (deleted)", "odd", 0600);
	must(unlink("with space (deleted)"));
	int kept = make("kept (deleted)", "kept", 0600);
	pid_t child = start_child(work, NULL);

	checkpoint_with(1);

	join_child(child, 0);
	must(fstat(own, &st));
	CHECK(st.st_uid == 1234 && st.st_gid == 4321 && (st.st_mode & 07777) == 04000);
	CHECK_EQUAL(pread(own, text, 16, 0), 3);
	CHECK_EQUAL(pread(shared, text, 16, 0), 6);
	CHECK(!memcmp(text, "Shared", 6));
	CHECK(!memcmp(map, "mCpped", 6));
	CHECK(private[2] == 'P' && private[3] == 'p');
	CHECK_EQUAL(pread(one, text, 16, 0), 3);
	CHECK(!memcmp(text, "one", 3));
	CHECK_EQUAL(pread(two, text, 16, 0), 3);
	CHECK(!memcmp(text, "two", 3));
	CHECK_EQUAL(readlinkat(link, "", text, sizeof(text)), 7);
	must(fstat(path, &st));
	CHECK(S_ISDIR(st.st_mode));
	must(fstat(node, &st));
	CHECK(S_ISSOCK(st.st_mode));
	CHECK_EQUAL(pread(empty, text, 16, 0), 3);
	CHECK_EQUAL(pread(kept, text, 16, 0), 4);
	must(fstat(kept, &st));
	CHECK_EQUAL(st.st_nlink, 1);
	must(unlink("kept (deleted)"));
	must(rmdir("again"));
	return 0;
}
