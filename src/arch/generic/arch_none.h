/* SPDX-License-Identifier: LGPL-2.1-only */
/* Architectures without protection keys, shadow stacks and the like take their fallbacks from this folder. */
#pragma once
