/* SPDX-License-Identifier: GPL-2.0-only */
/* The images directory, opened as the options want it. */
#include "session/images.h"

#include "base/auto.h"
#include "base/fail.h"
#include "image/blocks/store-blocks.h"
#include "image/codec.h"
#include "image/store.h"
#include "options/options.h"

static const enum codec codecs[] = {
	[OPT_COMPRESS_NONE] = CODEC_NONE,
	[OPT_COMPRESS_ZSTD] = CODEC_ZSTD,
	[OPT_COMPRESS_LZ4] = CODEC_LZ4,
};

int images_open(const struct options *options, bool for_writing, struct store **ret)
{
	AUTO(store_close) struct store *store = NULL;

	TRY(store_open_dir(options->images_dir_fd, for_writing, &store));
	store_decrypt_with(store, options->decrypt_with);
	if (for_writing && options->compression) {
		TRY(codec_load(codecs[options->compression])); /* before anything stands still */
		store_compress(store, codecs[options->compression], options->compression_level);
	}
	if (for_writing && options->encrypt_to.n)
		TRY(store_encrypt(store, options->encrypt_to.items, options->encrypt_to.n));
	*ret = TAKE_PTR(store);
	return 0;
}
