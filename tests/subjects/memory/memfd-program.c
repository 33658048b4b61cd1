// SPDX-License-Identifier: GPL-2.0-only
/* A program in a memfd can be run (fexecve), also while it is mapped; not while it is open for writing by its path. */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/wait.h>

#include "subject.h"

SUBJECT()

/* The errno of exec, or 0. */
static int run(int fd)
{
	char *const words[] = { "true", NULL }, *const nothing[] = { NULL };
	pid_t child = fork();
	int status;

	CHECK(child >= 0);
	if (child == 0) {
		fexecve(fd, words, nothing);
		_exit(errno);
	}
	CHECK_EQUAL(waitpid(child, &status, 0), child);
	CHECK(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int make(const char *name)
{
	int from = must(open("/bin/true", O_RDONLY)), fd = must(memfd_create(name, MFD_CLOEXEC));
	struct stat st;

	must(fstat(from, &st));
	for (off_t done = 0; done < st.st_size;)
		must(sendfile(fd, from, &done, (size_t)(st.st_size - done)));
	must(close(from));
	return fd;
}

int main(void)
{
	int plain = make("plain"), mapped = make("mapped"), written = make("written"), reader;
	char *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, mapped, 0),
	     *private = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, mapped, 0), path[64];

	CHECK(shared != MAP_FAILED && private != MAP_FAILED);
	private[0] = 'x';
	must(lseek(plain, 5, SEEK_SET));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", mapped);
	reader = must(open(path, O_RDONLY));
	must(lseek(reader, 7, SEEK_SET));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", written);
	must(open(path, O_RDWR));
	CHECK_EQUAL(run(plain), 0);
	CHECK_EQUAL(run(mapped), 0);
	CHECK_EQUAL(run(written), ETXTBSY);

	checkpoint();

	CHECK_EQUAL(lseek(plain, 0, SEEK_CUR), 5);
	CHECK_EQUAL(lseek(reader, 0, SEEK_CUR), 7);
	CHECK_EQUAL(run(plain), 0);
	CHECK_EQUAL(run(mapped), 0);
	CHECK_EQUAL(run(reader), 0);
	CHECK_EQUAL(run(written), ETXTBSY);
	CHECK_EQUAL(shared[1], 'E');
	CHECK_EQUAL(private[0], 'x');
	return 0;
}
