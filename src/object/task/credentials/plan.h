/* SPDX-License-Identifier: GPL-2.0-only */
/* The order in which a thread takes over other credentials. */
#pragma once

struct credentials;
struct plan;

/* The steps that turn a thread with our own credentials into one with the wanted ones; none if they are equal. */
void credentials_plan(struct plan *plan, const struct credentials *want, const struct credentials *own);
