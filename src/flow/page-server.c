/* SPDX-License-Identifier: GPL-2.0-only */
/* criu page-server: takes the memory of a dump that runs elsewhere, or gives that of images. */
#include "flow/page-server.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/log.h"
#include "base/meter.h"
#include "flow/background.h"
#include "image/inventory.h"
#include "image/store.h"
#include "options/options.h"
#include "pages/dedup.h"
#include "pages/server.h"
#include "pages/supply-images.h"
#include "pages/supply.h"
#include "session/images.h"
#include "session/transfer.h"

struct page_server {
	const struct options *options;
	struct peer_place place;
	int listener; /* -1: --ps-socket */
};

struct peer_place page_server_place(const struct options *options)
{
	return (struct peer_place){
		.address = options->address,
		.port = options->port,
		.fd = options->page_server_fd,
		.tls = options->tls,
		.tls_no_cn_verify = options->tls_no_cn_verify,
		.tls_cacert = options->tls_cacert,
		.tls_cacrl = options->tls_cacrl,
		.tls_cert = options->tls_cert,
		.tls_key = options->tls_key,
	};
}

static int give_to(const struct options *options, int listener, peer_greeting *is_greeting, struct page_supply *supply,
		   struct meter *meter)
{
	const struct peer_place place = page_server_place(options);
	AUTO(peer_close) struct peer *peer = NULL;

	TRY(peer_accept(&place, listener, is_greeting, &peer));
	log_info("A client is there");
	return page_server_supply(peer, supply, meter);
}

/* Tasks stand still meanwhile: when the restore has failed over there, its daemon may go without a word. */
int page_server_give(const struct options *options, int listener, struct page_supply *supply, struct meter *meter)
{
	return give_to(options, listener, NULL, supply, meter);
}

static void begin_meter(const struct page_server *server, struct meter *meter)
{
	transfer_begin(meter, "page-server", server->options, NULL);
	meter_limit(meter, server->options->bandwidth);
}

/* page-server --lazy-pages: a client that needs no more, or has ended, is all the same. */
static int serve_images(const struct page_server *server)
{
	AUTO(store_close) struct store *store = NULL;
	AUTO(page_supply_of_images_destroy) struct page_supply *supply = NULL;
	struct inventory inventory;
	struct meter meter;
	int result;

	TRY(images_open(server->options, false, &store));
	TRY(inventory_read(store, &inventory));
	supply = page_supply_of_images(store);
	begin_meter(server, &meter);
	result = give_to(server->options, server->listener, page_server_is_greeting, supply, &meter);
	meter_end(&meter);
	TRY(result);
	log_info("The client needs no more");
	return 0;
}

static int serve_client(void *arg)
{
	struct page_server *server = arg;
	AUTO(store_close) struct store *store = NULL;
	AUTO(peer_close) struct peer *peer = NULL;
	struct store *parent;
	struct meter meter;
	uint64_t freed = 0;
	int result;

	if (server->options->lazy_pages)
		return serve_images(server);
	TRY(images_open(server->options, true, &store));
	if (server->options->prev_images_dir)
		TRY(store_set_parent(store, server->options->prev_images_dir, &parent));
	result = peer_accept(&server->place, server->listener, page_server_is_greeting, &peer);
	if (server->listener >= 0)
		close(TAKE_FD(server->listener)); /* one client, then nobody is let in any more */
	TRY(result);
	log_info("A client is there");
	begin_meter(server, &meter);
	result = page_server_receive(peer, store, &meter);
	meter_end(&meter);
	TRY(result);
	log_info("All pages have come");
	if (server->options->auto_dedup)
		(void)pages_free_in_parents(store, &freed); /* logged: the parents are larger than they might be */
	return 0;
}

int page_server(const struct options *options, struct listener *listener, bool background, uint16_t *ret_port)
{
	struct page_server server = { options, page_server_place(options), -1 };
	uint16_t port = 0;
	int result;

	if (!options->lazy_pages && faccessat(options->images_dir_fd, ".", W_OK | X_OK, AT_EACCESS) < 0)
		return fail_errno("the images directory %s cannot be written to", options->images_dir);
	if (options->page_server_fd < 0) {
		server.listener = peer_listen(&server.place, &port);
		TRY(server.listener);
	}
	result = background_serve(options, listener, background, "the server ends, and what has come is not complete",
				  serve_client, &server);
	if (server.listener >= 0)
		close(server.listener);
	if (ret_port)
		*ret_port = port;
	return result;
}
