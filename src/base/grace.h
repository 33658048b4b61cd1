/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * How long somebody is waited for. Waits for tasks that work for us ask the deadline of the session, which begins anew
 * with each phase (--timeout). All others end after one of these: who is waited for cannot be told to hurry.
 */
#pragma once

/* Steps of a restore map, lock and fill memory: --timeout is meant for tasks that stand still. */
#define GRACE_RESTORE_FACTOR 6

/* Threads that run the blob, lib/compel. */
#define GRACE_PARKED_MS	  5000 /* a thread that finds itself without us waits for the guard of its connection */
#define GRACE_SPINNING_MS 200  /* the same where no system call may be made */
#define GRACE_HOME_S	  10   /* until it is home again, and for one system call or plan of a single thread */
#define GRACE_CALL_S	  60   /* one call of a user of libcompel */

/* The guard that takes our memory out of tasks when criu has ended, lib/compel/watch.c. */
#define GRACE_SWEEP_S  10    /* until their threads stand still and are home */
#define GRACE_FROZEN_S 600   /* the same if they do not, in the background */
#define GRACE_PROBE_MS 60000 /* a process of ours that tries what the kernel can do, src/kern/probe.c */

/* Letting go and killing, src/flow. */
#define GRACE_RELEASE_S 2     /* threads that were asked to stop, and are let go */
#define GRACE_STOP_S	10    /* until SIGSTOP has taken effect */
#define GRACE_DEATH_MS	10000 /* until a killed task, or one that is to end, is dead */
#define GRACE_UNDO_MS	5000  /* the same when a restore has failed */
#define GRACE_TRACER_S	2     /* a thread that another criu, which was killed, or its guard still holds */
#define GRACE_LIVING_MS 200   /* a leader that seems dead while its threads live */
#define GRACE_PID_MS	5000  /* a number that a zombie still holds, or somebody who was faster */
#define GRACE_NUMBER_S	10    /* until the number of a new task can be seen from outside */
#define GRACE_BROKER_MS 10000 /* until a process of ours has entered a user namespace */

/* Others that talk to us, src/pages and src/service. */
#define GRACE_SILENCE_S	     60	  /* the other end of a transfer of pages, where --timeout says nothing */
#define GRACE_FAREWELL_S     2	  /* the server, when the dump has failed */
#define GRACE_REQUEST_S	     60	  /* a client of the service, with the rest of its request */
#define GRACE_NOTIFY_S	     600  /* a client's answer to a notification: its hooks run meanwhile */
#define GRACE_PAGE_SERVER_MS 2000 /* a page server that has said that all is there, and is about to end */

/* The kernel's own workers, and programs that are not stopped yet, src/object. */
#define GRACE_ACCEPT_MS	     300  /* for a program to accept those that wait at its socket */
#define GRACE_ADDRESS_MS     500  /* an IPv6 address that is made ready */
#define GRACE_ACKS_MS	     1000 /* for the other ends of connections to acknowledge what they were sent */
#define GRACE_CGROUP_MS	     2000 /* a cgroup whose last task has just died */
#define GRACE_DEVICE_NAME_MS 5000 /* a network device that is being removed */
#define GRACE_DEVICE_UP_MS   2000 /* one that is being started */
#define GRACE_TTY_MS	     200  /* bytes on their way from one side of a terminal to the other */
#define GRACE_UNOWNED_MS     3000 /* for connections that a program has closed to get their last words through */
#define GRACE_RING_MS	     3000 /* for the kernel to let go of the files of an io_uring that is gone */
#define GRACE_CORK_MS	     5000 /* a corked datagram that is sent to ourselves */
#define GRACE_DATAGRAM_S     1	  /* any other */
#define GRACE_PACKET_RING_S  30	  /* a packet that is to reach a ring, beside the time that this may be put off */
