// SPDX-License-Identifier: GPL-2.0-only
/* Preloaded into criu: what Linux 5.15 lacks is missing. What criu has done inside other processes is not touched. */
#include <dlfcn.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/membarrier.h>
#include <linux/userfaultfd.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LAST_CALL	    448		       /* process_mrelease */
#define LAST_PRCTL	    62		       /* PR_SCHED_CORE */
#define LAST_OPTION	    72		       /* SO_BUF_LOCK */
#define UFFD_FEATURES	    ((1ull << 11) - 1) /* up to UFFD_FEATURE_MINOR_SHMEM */
#define MEMBARRIER_COMMANDS ((1 << 9) - 1)     /* up to MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ */
#define LAST_NS		    4		       /* NS_GET_OWNER_UID */

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static int missing(int error)
{
	errno = error;
	return -1;
}

/* What fdinfo and smaps tell since then has another name. */
static void rename_all(char *text, size_t size, const char *name, size_t from, size_t n)
{
	const char *end = text + size;

	while ((text = memmem(text, (size_t)(end - text), name, strlen(name))))
		memset(text + from, '-', n);
}

ssize_t read(int fd, void *data, size_t size)
{
	static const char semaphore[] = "eventfd-semaphore:"; /* 6.5 */
	ssize_t n = REAL(read)(fd, data, size);

	if (n > 0) {
		rename_all(data, (size_t)n, semaphore, 0, strlen(semaphore) - 1);
		rename_all(data, (size_t)n, " gu ", 1, 2); /* guard areas in a mapping: since 6.18 */
	}
	return n;
}

int ioctl(int fd, unsigned long request, ...)
{
	va_list list;
	void *arg;

	va_start(list, request);
	arg = va_arg(list, void *);
	va_end(list);
	/* PAGEMAP_SCAN (6.7) and PROCMAP_QUERY (6.11), those of a pidfd (6.11), of namespaces (6.11) */
	if ((_IOC_TYPE(request) == 'f' && (_IOC_NR(request) == 16 || _IOC_NR(request) == 17) && _IOC_SIZE(request)) ||
	    _IOC_TYPE(request) == 0xff || (_IOC_TYPE(request) == 0xb7 && _IOC_NR(request) > LAST_NS))
		return missing(ENOTTY);
	if (request == UFFDIO_API && ((struct uffdio_api *)arg)->features & ~UFFD_FEATURES)
		return missing(EINVAL);
	return REAL(ioctl)(fd, request, arg);
}

long syscall(long number, ...)
{
	long a[6];
	va_list list;

	va_start(list, number);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(list, long);
	va_end(list);
	if (number > LAST_CALL)
		return missing(ENOSYS);
	/* Iterators of tasks are older, but not every kernel has the types that they are written for. */
	if (number == SYS_bpf && a[0] == BPF_PROG_LOAD &&
	    ((const union bpf_attr *)a[1])->expected_attach_type == BPF_TRACE_ITER)
		return missing(EPERM);
	if (number == SYS_membarrier && a[0] == MEMBARRIER_CMD_QUERY)
		return REAL(syscall)(number, a[0], a[1], a[2]) & MEMBARRIER_COMMANDS;
	return REAL(syscall)(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

int prctl(int operation, ...)
{
	unsigned long a[4];
	va_list list;

	va_start(list, operation);
	for (int i = 0; i < 4; i++)
		a[i] = va_arg(list, unsigned long);
	va_end(list);
	if (operation > LAST_PRCTL && operation < 1000)
		return missing(EINVAL);
	return REAL(prctl)(operation, a[0], a[1], a[2], a[3]);
}

/* The end of TCP's queue is looked at by SO_PEEK_OFF since 6.9. */
static int check_option(int fd, int level, int option)
{
	int type = 0, domain = 0;
	socklen_t size = sizeof(int);

	if (level != SOL_SOCKET)
		return 0;
	if (option > LAST_OPTION)
		return ENOPROTOOPT;
	if (option != SO_PEEK_OFF || REAL(getsockopt)(fd, SOL_SOCKET, SO_TYPE, &type, &size) < 0 ||
	    REAL(getsockopt)(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) < 0)
		return 0;
	return type == SOCK_STREAM && (domain == AF_INET || domain == AF_INET6) ? EOPNOTSUPP : 0;
}

int getsockopt(int fd, int level, int option, void *restrict value, socklen_t *restrict size)
{
	int error = check_option(fd, level, option);

	return error ? missing(error) : REAL(getsockopt)(fd, level, option, value, size);
}

int setsockopt(int fd, int level, int option, const void *value, socklen_t size)
{
	int error = check_option(fd, level, option);

	return error ? missing(error) : REAL(setsockopt)(fd, level, option, value, size);
}
