/* SPDX-License-Identifier: LGPL-2.1-only */
/* What the coordinator and the blob agree upon: steps, plans, slots. Shared memory of two processes, no pointers. */
#pragma once

#include <stdint.h>

enum step_kind {
	STEP_END,     /* the plan is done */
	STEP_SYSCALL, /* nr(arg[0..5]) */
	STEP_GETFD,   /* take descriptor arg[1] of the process behind pidfd arg[0] and place it at number arg[2], flags
			 arg[3] (O_CLOEXEC or 0) */
	STEP_CLONE, /* clone3(arg[0] = struct clone_args, arg[1] = its size); the child goes on at the slot at arg[2] */
	STEP_COPY,  /* copy arg[2] bytes from address arg[1] to address arg[0] */
	STEP_SET_LONG,	/* *(int64_t *)arg[0] = arg[1] */
	STEP_SET_INT,	/* *(int32_t *)arg[0] = arg[1] */
	STEP_GET_LONG,	/* the result is *(int64_t *)arg[0] */
	STEP_AIO_SWEEP, /* take the unread events of the iocb at address arg[1] out of the AIO ring at arg[0], the
			   others stay; turn the ring on by such requests until it begins at arg[2] again. arg[3]:
			   arg[4] pointers to the iocb */
	STEP_TIMER,	/* timer_create(arg[0] = clock, arg[1] = struct sigevent) so that the id is arg[2] */
	STEP_FD_FLAGS,	/* for each descriptor number below arg[0]: a byte of FD_FLAG_* at arg[1] + number */
	STEP_COMPAT,	/* nr(arg[0..4]) as 32-bit programs of this CPU make it; addresses below 4 GiB */
	STEP_URING,	/* as struct uring_turn at arg[0] says */
	STEP_URING_ARM, /* as struct uring_arm at arg[0] says */
	STEP_TWINS, /* nr (pipe2 or socketpair of unix sockets) of type arg[0] makes two descriptors, to be placed at
		       the numbers arg[1] and arg[2]; bit i of arg[3]: close-on-exec */
	STEP_CALL,  /* call the function at arg[0] on the stack whose top is arg[1]; the result is what it returns */
};

/* A failing step ends its plan unless it has STEP_MAY_FAIL. */
#define STEP_MAY_FAIL	 0x01
#define STEP_EXACT	 0x02 /* the result must be arg[6] */
#define STEP_RETRY_EINTR 0x04

#define STEP_SLOTS 16

/* A descriptor that a process says it has. */
#define FD_FLAG_OPEN	0x01
#define FD_FLAG_CLOEXEC 0x02

/* The head of an AIO ring, struct aio_ring of fs/aio.c; struct io_event of <linux/aio_abi.h> follow. */
struct aio_ring_head {
	uint32_t id;	     /* of the kernel's own use */
	uint32_t nr;	     /* room for so many events; one stays free */
	uint32_t head, tail; /* unread are the events from head on, before tail */
	uint32_t magic;
	uint32_t compat_features, incompat_features;
	uint32_t size; /* of this header */
};

#define AIO_RING_MAGIC 0xa10a10a1

/* The beginning of the memory that an io_uring shares with the program: how far each side is. */
struct uring_positions {
	uint32_t sq_head, sq_tail; /* requests taken, put in */
	uint32_t cq_head, cq_tail; /* completions read, made */
};

/* Requests that an io_uring does at once. */
struct uring_turn {
	int64_t fd;
	int64_t rings;		       /* address of its struct uring_positions */
	int64_t sqes, sqe_size, sqe_n; /* the requests: sqe_n of them are written, no more than their beginning */
	int64_t kind, kind_fd;	       /* which is: opcode and flags, descriptor */
	int64_t n, batch;	       /* so many in all, so many at a time */
	int64_t looked_at;	       /* whose completions may have to be fetched each time; -1: there are none */
	int64_t completed;	       /* address of the struct uring_positions where they count as read */
};

/* Requests that an io_uring is to wait for. The memory of its rings is as before, but for what the kernel writes. */
struct uring_arm {
	int64_t fd;
	int64_t rings; /* address of its struct uring_positions */
	int64_t array; /* place of the array of requests from there; 0: there is none */
	int64_t sqes, sqe_size, mask;
	int64_t requests, n; /* address of n of them, each of 64 bytes; those that are linked are made at once */
	int64_t kept;	     /* address of room for what so many have had in the ring as are linked, */
	int64_t places;	     /* and in the array */
	int64_t polled;	     /* a thread of the kernel takes them (IORING_SETUP_SQPOLL), and no others are there */
};

struct step {
	uint16_t kind;
	uint16_t nr; /* system call number */
	uint8_t flags;
	uint8_t from_slot;  /* bit i: arg[i] is the number of a slot whose value is meant */
	uint8_t in_plan;    /* bit i: arg[i] is an offset in the plan, its address is meant */
	uint8_t to_slot;    /* slot that gets the result, 0 = none */
	uint32_t why;	    /* offset of a text, for the failure report */
	uint32_t to_result; /* offset in the plan of an int64_t that gets the result, 0 = none */
	int64_t arg[7];
};

/* A plan: this header, then steps, then data. All offsets count from the header. */
struct plan_header {
	uint32_t n_steps;
	uint32_t size;
};

enum slot_state {
	SLOT_IDLE,   /* waits for a plan */
	SLOT_POSTED, /* a plan is there */
	SLOT_RUNNING,
	SLOT_DONE, /* error and failed_step tell how it went */
	SLOT_LEFT, /* parasite only: the thread goes home */
};

enum slot_role {
	SLOT_RESTORER, /* a thread under construction: waits for plans for ever */
	SLOT_PARASITE, /* a thread that belongs to somebody: after one plan waits to be caught; if the coordinator dies
			  it goes home */
	SLOT_PARKED,   /* the same without a plan: it only runs if the coordinator has died */
};

/* One for all slots of an arena: wakes the coordinator, if it sleeps. */
struct wakeup {
	uint32_t rung; /* how often; futex */
	uint32_t pad;
	int64_t awaited; /* address, in this process, of the slot that it waits for; 0: none. Others do not ring */
};

#define SLOT_STACK_SIZE 4096

/* One for each thread that runs the blob. Lies in the arena; its stack follows. */
struct slot {
	uint32_t state; /* enum slot_state, changed by compare-and-swap; futex */
	uint32_t role;
	int64_t plan;  /* address of a struct plan_header in this process */
	int64_t error; /* result of the failing step, 0 = none failed */
	uint32_t failed_step;
	uint32_t tid;	/* set by the thread itself when it arrives */
	int64_t wakeup; /* address of the struct wakeup of the arena */
	int64_t home;	/* parasite: stack pointer for rt_sigreturn, address of a struct rt_sigframe's ucontext */
	int64_t parent; /* restorer: dies with this parent, and at once if that is not its parent any more; 0 = a
			   thread, -FD = it cannot see its parent, but has a pidfd of it */
	int64_t life;	/* parasite: address of a robust futex of the coordinator: FUTEX_OWNER_DIED when it is dead */
	int64_t grace;	/* parked: how long to wait to be woken, in ms; negative: without a system call, very roughly */
	int64_t value[STEP_SLOTS];
	uint8_t stack[SLOT_STACK_SIZE] __attribute__((aligned(16)));
};
