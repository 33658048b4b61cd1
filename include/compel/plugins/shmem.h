/* SPDX-License-Identifier: LGPL-2.1-only */
/* Memory that two parasites share. Declared only: no archive has these functions. */
#ifndef COMPEL_PLUGIN_SHMEM_H
#define COMPEL_PLUGIN_SHMEM_H

void *shmem_create(unsigned long size);
void *shmem_receive(unsigned long *size);

#endif
