// SPDX-License-Identifier: GPL-2.0-only
/*
 * A FUSE file system whose server is a child: a program that runs from it and is in it, mapped files, private and
 * shared, also without a descriptor; each keeps the handle that the server gave to its opening, which is given back
 * once.
 */
#include <limits.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include "fuse-server.h"

SUBJECT(.not_ways = "older")

#define SIZE	(8 * 4096)
#define OPENED	1000 /* handles begin there */
#define HANDLES 256

/* Nodes are numbered from the root on; their content is in files of the work directory. */
static const char *const names[] = { [2] = "data", [3] = "written", [4] = "program" };
static int contents[5];
static unsigned n_opened;
static bool is_open[HANDLES];

static struct fuse_attr attributes_of(uint64_t id)
{
	struct stat st = { .st_size = 0 };

	if (id > 1)
		fstat(contents[id], &st);
	return (struct fuse_attr){ .ino = id,
				   .mode = id == 1 ? S_IFDIR | 0755 : S_IFREG | 0755,
				   .nlink = 1,
				   .size = (uint64_t)st.st_size,
				   .blksize = 4096 };
}

static void answer_lookup(int fd, const struct fuse_request *request)
{
	struct fuse_entry_out out = { 0 };

	for (uint64_t id = 2; id < 5; id++)
		if (strcmp(names[id], (const char *)request->body) == 0) {
			out.nodeid = id;
			out.attr = attributes_of(id);
			fuse_answer(fd, request, 0, &out, sizeof(out));
			return;
		}
	fuse_answer(fd, request, ENOENT, NULL, 0);
}

/* One that was never given out, or was given back, is the end of the server. */
static void check_handle(uint64_t handle)
{
	if (handle < OPENED || handle >= OPENED + n_opened || !is_open[handle - OPENED])
		_exit(4);
}

static void answer_io(int fd, const struct fuse_request *request)
{
	static uint8_t text[FUSE_ANSWER_MAX];
	const struct fuse_write_in *write_in = (const void *)request->body;
	const struct fuse_read_in *in = (const void *)request->body;
	struct fuse_write_out out = { 0 };
	ssize_t n;

	check_handle(in->fh);
	if (request->head.opcode == FUSE_READ) {
		n = pread(contents[request->head.nodeid], text, in->size, (off_t)in->offset);
		fuse_answer(fd, request, 0, text, (size_t)n);
		return;
	}
	n = pwrite(contents[request->head.nodeid], write_in + 1, write_in->size, (off_t)write_in->offset);
	out.size = (uint32_t)n;
	fuse_answer(fd, request, 0, &out, sizeof(out));
}

static void answer_release(int fd, const struct fuse_request *request)
{
	const uint64_t handle = ((const struct fuse_release_in *)request->body)->fh;

	check_handle(handle);
	is_open[handle - OPENED] = request->head.opcode == FUSE_FLUSH;
	fuse_answer(fd, request, 0, NULL, 0);
}

static void answer_request(int fd, const struct fuse_request *request)
{
	struct fuse_init_out init = { .major = FUSE_KERNEL_VERSION,
				      .minor = 31,
				      .max_write = 65536,
				      .max_readahead = 65536,
				      .flags = FUSE_BIG_WRITES };
	struct fuse_attr_out attributes = { 0 };
	struct fuse_open_out open = { 0 };

	switch (request->head.opcode) {
	case FUSE_INIT:
		fuse_answer(fd, request, 0, &init, sizeof(init));
		break;
	case FUSE_LOOKUP:
		answer_lookup(fd, request);
		break;
	case FUSE_GETATTR:
	case FUSE_SETATTR:
		attributes.attr = attributes_of(request->head.nodeid);
		fuse_answer(fd, request, 0, &attributes, sizeof(attributes));
		break;
	case FUSE_OPEN:
	case FUSE_OPENDIR:
		if (n_opened == HANDLES)
			_exit(5);
		is_open[n_opened] = true;
		open.fh = OPENED + n_opened++;
		fuse_answer(fd, request, 0, &open, sizeof(open));
		break;
	case FUSE_READ:
	case FUSE_WRITE:
		answer_io(fd, request);
		break;
	case FUSE_RELEASE:
	case FUSE_RELEASEDIR:
	case FUSE_FLUSH:
		answer_release(fd, request);
		break;
	case FUSE_FSYNC:
		fuse_answer(fd, request, 0, NULL, 0);
		break;
	case FUSE_FORGET:
	case FUSE_BATCH_FORGET:
	case FUSE_INTERRUPT:
		break;
	default:
		fuse_answer(fd, request, ENOSYS, NULL, 0);
	}
}

static uint8_t pattern(size_t i)
{
	return (uint8_t)(i * 7 + i / 4096);
}

static void make_contents(void)
{
	uint8_t block[4096];
	int from = must(open("/proc/self/exe", O_RDONLY));
	ssize_t n;

	for (int id = 2; id < 5; id++)
		contents[id] = must(open(names[id], O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0700));
	for (size_t page = 0; page < SIZE / 4096; page++) {
		for (size_t i = 0; i < sizeof(block); i++)
			block[i] = pattern(page * 4096 + i);
		CHECK_EQUAL(write(contents[2], block, sizeof(block)), (ssize_t)sizeof(block));
	}
	must(ftruncate(contents[3], SIZE));
	while ((n = read(from, block, sizeof(block))) > 0)
		CHECK_EQUAL(write(contents[4], block, (size_t)n), n);
	close(from);
}

/* What the program in the file system does: it has no descriptor of itself. */
static void be_program(void)
{
	sigset_t set;
	int signal;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	must(chdir("mnt"));
	printf("running\n");
	sigwait(&set, &signal);
	_exit(access("data", F_OK) == 0 ? 7 : 8);
}

/* It is in the file system when it runs. */
static pid_t start_program(const char *control)
{
	char path[32], link[PATH_MAX] = "";
	pid_t pid = must(fork());

	if (pid == 0) {
		execl("mnt/program", "program", control, "run", NULL);
		_exit(9);
	}
	snprintf(path, sizeof(path), "/proc/%d/cwd", pid);
	while (!strstr(link, "/mnt")) {
		sleep_ms(5);
		CHECK(waitpid(pid, NULL, WNOHANG) == 0);
		memset(link, 0, sizeof(link));
		must((int)readlink(path, link, sizeof(link) - 1));
	}
	return pid;
}

static bool is_as_written(const uint8_t *at, size_t mine)
{
	for (size_t i = 0; i < SIZE; i++)
		if (at[i] != (i >= mine && i < mine + 5000 ? 0xaa : pattern(i)))
			return false;
	return true;
}

static void check_program(pid_t pid)
{
	char path[32], link[PATH_MAX] = "";
	int status;

	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	must((int)readlink(path, link, sizeof(link) - 1));
	CHECK(strstr(link, "/mnt/program"));
	must(kill(pid, SIGUSR1));
	CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 7);
}

int main(int argc, char **argv)
{
	uint8_t *own, *seen, *shared;
	pid_t server, program;
	int fd;

	if (argc == 3)
		be_program();
	make_contents();
	server = fuse_start(answer_request);
	fd = must(open("mnt/data", O_RDONLY));
	own = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	seen = mmap(NULL, SIZE, PROT_READ, MAP_SHARED, fd, 0);
	must(close(fd));
	fd = must(open("mnt/written", O_RDWR)); /* stays open */
	shared = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(own != MAP_FAILED && seen != MAP_FAILED && shared != MAP_FAILED);
	memset(own + 6000, 0xaa, 5000);
	memset(shared + 4096, 'x', 4096);
	must(msync(shared, SIZE, MS_SYNC));
	CHECK(seen[100] == pattern(100));
	memset(shared + 8192, 'w', 10); /* its server has not got this */
	program = start_program(argv[1]);

	checkpoint();

	CHECK(is_as_written(own, 6000));
	CHECK(is_as_written(seen, SIZE));
	CHECK(shared[4095] == 0 && shared[4096] == 'x' && shared[8191] == 'x' && shared[8192] == 'w' && !shared[8202]);
	memset(shared, 'y', 10);
	must(msync(shared, SIZE, MS_SYNC));
	CHECK_EQUAL(pwrite(fd, "z", 1, 9), 1);
	CHECK(shared[8] == 'y' && shared[9] == 'z');
	check_program(program);
	must(munmap(own, SIZE));
	must(munmap(seen, SIZE));
	must(munmap(shared, SIZE));
	must(close(fd));
	fd = must(open("mnt/written", O_RDONLY)); /* the server is there still */
	fuse_end(server);
	return 0;
}
