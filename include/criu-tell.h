/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * For programs that want to know when they are checkpointed and restored. Nothing has to be linked, and nothing is
 * called: the program makes a small file of memory, by whose name criu finds it among the descriptors of the tree, and
 * both read and write it. docs/TELL.md has the protocol, examples/tell a program.
 *
 *	static struct criu_tell *tell;
 *
 *	void *watch(void *arg)			// a thread; or handle the signal, or look at the state now and then
 *	{
 *		for (uint32_t seen = 0;;) {
 *			seen = criu_tell_wait(tell, seen);
 *			if (tell->state == CRIU_TELL_DUMP) {
 *				...		// close what cannot be saved, flush
 *				criu_tell_answer(tell, seen, 0);
 *			} else {
 *				...		// go on; after CRIU_TELL_RESTORED as a copy
 *			}
 *		}
 *	}
 *
 *	tell = criu_tell_register(0);		// or the number of a signal
 */
#ifndef CRIU_TELL_H
#define CRIU_TELL_H

#include <fcntl.h>
#include <linux/futex.h>
#include <stdint.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CRIU_TELL_NAME	"criu-tell"
#define CRIU_TELL_MAGIC 0x4c4c4554u /* "TELL" */

enum {
	CRIU_TELL_NONE = 0,	/* nothing has happened yet */
	CRIU_TELL_DUMP = 1,	/* a dump is about to stop the program, and waits for the answer */
	CRIU_TELL_GOES_ON = 2,	/* it is over: the program goes on, as what it was */
	CRIU_TELL_RESTORED = 3, /* the program goes on, as a copy that was restored */
};

struct criu_tell {
	uint32_t magic;
	uint32_t owner;	   /* pid of who registered, as it sees it */
	uint32_t signal;   /* sent to it after each change; 0: none */
	uint32_t number;   /* of changes; a futex */
	uint32_t state;	   /* CRIU_TELL_... */
	uint32_t answered; /* the number that the program is ready for */
	uint32_t refused;  /* the answer was: not now */
	uint32_t copies;   /* how often it was restored */
	uint32_t copy;	   /* restored as one of several copies (restore --copies): which one, from 1; 0: it is alone */
	uint32_t of;	   /* how many these are */
};

#define CRIU_TELL_SIZE_MIN offsetof(struct criu_tell, copy) /* programs that know nothing of several copies */

/* NULL, and errno, if it cannot be made. The descriptor stays open: by it criu finds the program. */
static inline struct criu_tell *criu_tell_register(int signal)
{
	int fd = (int)syscall(SYS_memfd_create, CRIU_TELL_NAME, 1u /* MFD_CLOEXEC */);
	struct criu_tell *tell;

	if (fd < 0)
		return NULL;
	if (ftruncate(fd, sizeof(*tell)) < 0) {
		close(fd);
		return NULL;
	}
	tell = (struct criu_tell *)mmap(NULL, sizeof(*tell), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (tell == MAP_FAILED) {
		close(fd);
		return NULL;
	}
	tell->owner = (uint32_t)getpid();
	tell->signal = (uint32_t)signal;
	__atomic_store_n(&tell->magic, CRIU_TELL_MAGIC, __ATOMIC_RELEASE);
	return tell;
}

/* Returns when something has changed since the number `seen` (0 at first), with the number now. */
static inline uint32_t criu_tell_wait(struct criu_tell *tell, uint32_t seen)
{
	uint32_t now;

	while ((now = __atomic_load_n(&tell->number, __ATOMIC_ACQUIRE)) == seen)
		syscall(SYS_futex, &tell->number, FUTEX_WAIT, seen, NULL, NULL, 0);
	return now;
}

/* What has to be done before the dump is done; refused: the dump shall fail, and leave the program alone. */
static inline void criu_tell_answer(struct criu_tell *tell, uint32_t number, int refused)
{
	tell->refused = refused != 0;
	__atomic_store_n(&tell->answered, number, __ATOMIC_RELEASE);
}

#endif
