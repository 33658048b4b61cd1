/* SPDX-License-Identifier: LGPL-2.1-only */
/* The frame from which rt_sigreturn(2) takes a thread's registers. */
#ifndef COMPEL_SIGFRAME_COMMON_H
#define COMPEL_SIGFRAME_COMMON_H

#include <compel/asm/infect-types.h>
#include <compel/asm/sigframe.h>
#include <compel/ksigset.h>

#ifdef __cplusplus
extern "C" {
#endif

struct rt_sigframe;

/* Called by programs that make frames themselves, and provided by them. */
int sigreturn_prep_fpu_frame(struct rt_sigframe *frame, struct rt_sigframe *rframe);

#ifdef __cplusplus
}
#endif

#endif
