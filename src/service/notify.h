/* SPDX-License-Identifier: GPL-2.0-only */
/* Telling the client what happens, and waiting for its consent. */
#pragma once

struct request;

void notify_prepare(struct request *request);
