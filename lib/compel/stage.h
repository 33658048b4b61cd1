/* SPDX-License-Identifier: LGPL-2.1-only */
/* Inside of lib/compel: memory shared with threads that run the blob. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "arch_regs.h"
#include "lib/compel/guest-call.h"
#include "lib/compel/remote.h"

struct stage {
	char *local;	  /* here */
	uint64_t address; /* over there */
	size_t size, used;
	int fd;		  /* memfd of puppets, else -1 */
	pid_t pid;	  /* the process of guests, else 0 */
	struct remote *first; /* all remotes, for closing */
};

struct remote {
	struct stage *stage;
	struct remote *next;
	struct slot *slot;	/* here */
	uint64_t slot_address;	/* over there */
	char *plan;		/* here; room for plans, grows */
	size_t plan_room;
	const struct plan *posted;
	pid_t tid;	   /* 0: not known yet, only of a puppet in another pid namespace */
	pid_t wanted;	   /* puppets: the tid that it is made with, as it sees it itself */
	bool guest;
	/* guests only */
	struct guest_state state;
	bool away;	   /* its registers are ours */
	bool stopped;	   /* ... and it stands in a ptrace stop that was reported already */
	int lost_stop;	   /* stop signal that came while it was away */
	void *frame;	   /* here; its way home */
};

/* Room in the stage, aligned to 64. Returns NULL when the stage is full. */
void *stage_alloc(struct stage *stage, size_t size);
uint64_t stage_address(const struct stage *stage, const void *local);
/* Sets up the first page (blob, doorbell). */
void stage_init(struct stage *stage);
/* Tells guests that the coordinator lives. To be called whenever one of many threads is dealt with. */
void stage_beat(const struct stage *stage);
struct remote *stage_add_remote(struct stage *stage, enum slot_role role);
void stage_free(struct stage *stage);
/* The thread of a puppet has ended, even if nobody has reaped it. */
bool remote_is_dead(const struct remote *remote);

#define STAGE_DOORBELL 4032	/* offset of the doorbell; the blob lies in front of it */
#define STAGE_BEAT     4036	/* the next uint32_t: guests do not go home as long as the coordinator changes it */
#define STAGE_MARK     4064	/* offset of a text that tells the stage of a guest from memory of the program */
#define STAGE_HEADER   4096

extern const char stage_mark[16];
