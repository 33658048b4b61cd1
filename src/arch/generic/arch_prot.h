/* SPDX-License-Identifier: LGPL-2.1-only */
/* A CPU whose mmap(2) knows no protection of its own. */
#pragma once

#define ARCH_PROT_GUARDED 0
