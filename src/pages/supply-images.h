/* SPDX-License-Identifier: GPL-2.0-only */
/* Pages of images for those who ask a page server for them. */
#pragma once

struct page_supply;
struct store;

/* Those of the processes in the store, which must live longer. */
struct page_supply *page_supply_of_images(struct store *store);
void page_supply_of_images_destroy(struct page_supply **supply); /* accepts NULL; for AUTO() */
