/* SPDX-License-Identifier: GPL-2.0-only */
/* Which options go together, and which exclude each other. */
#pragma once

struct options;

/* What does not fit together or is not there yet is refused; defaults of the command are filled in. Errors as above. */
int options_check(struct options *options);
