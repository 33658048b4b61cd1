/* SPDX-License-Identifier: LGPL-2.1-only */
/* How a parasite is called. */
#ifndef COMPEL_PLUGIN_STD_INFECT_H
#define COMPEL_PLUGIN_STD_INFECT_H

/* --- what every parasite must define --- */

/*
 * compel_run_in_thread(): runs in that thread; what it returns is the result of that call. args: the memory of
 * compel_parasite_args().
 */
int parasite_trap_cmd(int cmd, void *args);
/* compel_rpc_call(): runs in the daemon. 0 = fine; after anything else only the end of the daemon is accepted. */
int parasite_daemon_cmd(int cmd, void *args);
/* Before the daemon leaves the task, also when the program that injected it has died. */
void parasite_cleanup(void);

/* --- what they have --- */

/* The daemon's socket to the program that injected it. */
int parasite_get_rpc_sock(void);

/* Entered through __export_parasite_head_start. The library sets the variables. */
unsigned long parasite_service(void);
extern unsigned int __export_parasite_service_cmd;
extern void *__export_parasite_service_args_ptr;

#endif
