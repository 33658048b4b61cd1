/* SPDX-License-Identifier: GPL-2.0-only */
/* What is to be done with the pages that a process got from its creator by fork. */
#include "pages/inherit.h"

static void add_stored(struct page_inheritance *ret, const struct stored_range *range, uint64_t start, uint64_t end,
		       uint32_t how)
{
	*vector_push(&ret->ranges) = (struct stored_range){
		.start = start,
		.size = end - start,
		.offset = range->offset + (start - range->start),
		.file = range->file,
		.how = how,
	};
}

void pages_inherit(const struct stored_range *ranges, size_t n_ranges, const struct page_range *there, size_t n_there,
		   uint32_t how, struct page_inheritance *ret)
{
	uint64_t at = 0; /* everything below is decided */

	for (size_t i = 0, j = 0; i < n_ranges || j < n_there;) {
		uint64_t start = UINT64_MAX, end = UINT64_MAX, old = UINT64_MAX, old_end = UINT64_MAX, stop;

		if (i < n_ranges) {
			start = at > ranges[i].start ? at : ranges[i].start;
			end = ranges[i].start + ranges[i].size;
		}
		if (j < n_there) {
			old = at > there[j].start ? at : there[j].start;
			old_end = there[j].start + there[j].nr_pages * page_size();
		}
		if (start < old) {
			stop = end < old ? end : old;
			add_stored(ret, &ranges[i], start, stop, how);
		} else if (old < start) {
			stop = old_end < start ? old_end : start;
			*vector_push(&ret->gone) = (struct address_range){ old, stop };
		} else {
			stop = end < old_end ? end : old_end;
			add_stored(ret, &ranges[i], start, stop, PAGE_COMPARE);
		}
		at = stop;
		i += i < n_ranges && end <= at;
		j += j < n_there && old_end <= at;
	}
}

void pages_inherit_done(struct page_inheritance *inheritance)
{
	vector_done(&inheritance->ranges);
	vector_done(&inheritance->gone);
}
