/* SPDX-License-Identifier: LGPL-2.1-only */
/* Where threads have their own data, in the form of their CPU: tls_t of compel/asm/infect-types.h. */
#ifndef COMPEL_THREAD_AREA_H
#define COMPEL_THREAD_AREA_H

#include <compel/asm/infect-types.h>

struct parasite_ctl;
struct parasite_thread_ctl;

#ifdef __cplusplus
extern "C" {
#endif

void compel_arch_get_tls_task(struct parasite_ctl *ctl, tls_t *out);
void compel_arch_get_tls_thread(struct parasite_thread_ctl *tctl, tls_t *out);
/* Reads that of the stopped thread for compel_arch_get_tls_thread(). 0, or -1 with errno. */
int compel_arch_fetch_thread_area(struct parasite_thread_ctl *tctl);

#ifdef __cplusplus
}
#endif

#endif
