/* SPDX-License-Identifier: GPL-2.0-only */
/* Which pages of an object are the same as in older images: found by comparing them. */
#pragma once

#include "pages/mover.h"
#include "pages/reader.h"
#include "pages/save.h"

/*
 * Splits the ranges of a shared memory object: pages that the parent has and that are equal become PE_PARENT, the
 * others keep their flags. The object may change meanwhile: what is called equal was so when it was looked at.
 */
int pages_find_equal(struct page_mover *mover, const struct page_source *source, const struct page_reader *parent,
		     page_range_list *ranges);
