/* SPDX-License-Identifier: GPL-2.0-only */
/* The kinds of requests, one row each. */
#pragma once

#include <stdbool.h>

#include "flow/migrate/migrate.h"
#include "flow/restore.h"
#include "flow/undo.h"
#include "options/options.h"
#include "rpc.pb-c.h"
#include "session/listener.h"

struct connection;

/* One request that is carried out. */
struct request {
	struct connection *connection;
	const CriuReq *message;
	CriuResp *answer;
	struct options options;
	struct listener listener;
	struct restored restored;
	CriuDumpResp dump; /* parts of the answer */
	CriuRestoreResp restore;
	CriuPageServerInfo server;
	CriuFeatures features;
	CriuVersion version;
	CriuUndoResp undo;
	CriuMigrateResp migrate;
	struct migration_facts migration;
	struct undone undone;
	bool bad_options; /* it failed because of what it asks for */
	bool silent;	  /* the answer is given by another process, later */
};

/* Carries it out and fills the answer; what the request names decides how. false: there is no such request. */
bool request_run(struct request *request);
bool request_may_keep_open(CriuReqType type);
