/* SPDX-License-Identifier: GPL-2.0-only */
/* Architectures without protection keys, shadow stacks and the like take their fallbacks from this folder. */
#pragma once
