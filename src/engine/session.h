/* SPDX-License-Identifier: MIT */
/* session.c: the session with the pack, and what the pack says of itself. It alone writes this. */
#pragma once

#include "bmsflash/backup.h"
#include "bmsflash/entry.h"
#include "bmsflash/session.h"

#include "load.h"

struct bf_run;

/* writer: session.c */
struct bf_session {
	struct bf_proto *proto;
	struct bf_entry_log entry; /* ways into the bootloader that were gone already */
	struct bf_retry retry;
	struct bf_auth *auth;
	int node; /* address on the line; -1: the profile's */
	bool authenticated;
	bool loader_told;      /* the bootloader itself was asked what can be done */
	bool parted;           /* sent away for a restart: the dialogue must be opened again */
	struct bf_ident ident; /* before anything was changed */
	struct bf_ident now;   /* as last asked */
	/* The same of a pack's other images, while this one is worked on. */
	struct bf_ident aside[BF_PARTS_MAX], now_aside[BF_PARTS_MAX];
};

/* Opens a protocol by asking. hurry: as in struct bf_proto_env. */
enum bf_rc bf_session_open(struct bf_run *run, const struct bf_proto_ops *ops, bf_time hurry,
			   bf_time patience, struct bf_err *err);
void bf_session_close(struct bf_run *run);
enum bf_rc bf_auth_choose(struct bf_run *run, struct bf_err *err);
/* For writing, authenticated. */
enum bf_rc bf_run_enter(struct bf_run *run, struct bf_err *err);
/* For reading: the application stays where it can. */
enum bf_rc bf_run_ready(struct bf_run *run, struct bf_err *err);
/* From now on the pack's image with this number is worked on, and the calls to the pack are about it. */
void bf_session_part(struct bf_run *run, unsigned part);
/* As last asked, of this part. */
const struct bf_ident *bf_now_of(const struct bf_run *run, unsigned part);
/* Fills session.now, and the model. */
enum bf_rc bf_run_ask(struct bf_run *run, struct bf_err *err);
/* What the pack told of its memory can be written while its firmware runs. */
bool bf_writes_beside(const struct bf_run *run);
/* The bank states told since. */
void bf_session_now(struct bf_run *run, const struct bf_ident *now);
void bf_session_parted(struct bf_run *run);    /* a restart was sent */
void bf_session_restarted(struct bf_run *run); /* the pack restarted: nothing is open any more */
void bf_session_repeated(struct bf_run *run, enum bf_retry_class rclass);
void bf_session_address(struct bf_run *run, int node); /* of the next session */
void bf_session_begin(struct bf_run *run);
void bf_session_done(struct bf_run *run);

const struct bf_slot *bf_slot_active(const struct bf_ident *ident, unsigned *ret_slot);
const struct bf_slot *bf_slot_other(const struct bf_ident *ident, unsigned *ret_slot);
const struct bf_slot *bf_slot_target(const struct bf_ident *ident, unsigned *ret_slot);
const struct bf_region *bf_region_of_slot(const struct bf_ident *ident, unsigned slot);
bool bf_version_proves(const struct bf_run *run, const struct bf_ident *ident);
const char *bf_ident_version(const struct bf_ident *ident, char dst[BF_VERSION_TEXT]);
/* What the pack promises and its family can ask for. */
bool bf_can_read(const struct bf_run *run);
bool bf_can_compare(const struct bf_run *run);
bool bf_can_hash_units(const struct bf_run *run);
/* A server that tells nothing of its memory takes what it is given. */
void bf_region_make(struct bf_run *run, uint32_t addr, size_t len);
/* A stream's size, by reading; BF_OK and no size: it is empty. */
enum bf_rc bf_region_measure(struct bf_run *run, size_t i, struct bf_err *err);
void bf_region_unreadable(struct bf_run *run, size_t i);

/* Erase units: flash has sectors of several sizes, and a unit is what contains the byte. */
#define BF_SECTOR_MAX (1u << 20)
/* The erase unit that contains the byte; false: none, or its size is not known. */
bool bf_sector_at(const struct bf_region *r, uint32_t addr, uint32_t *ret_start,
		  uint32_t *ret_size);

/* Memory is taken by what a pack says: what no pack has is not offered for it. */
void bf_regions_limit(struct bf_run *run, struct bf_ident *ident);

enum bf_same_pack { BF_PACK_SAME, BF_PACK_OTHER, BF_PACK_UNKNOWN };
/* By serial number and class; what the two hold is compared besides (bf_data_agrees). */
enum bf_same_pack bf_backup_is_of(const struct bf_run *run, const struct bf_backup *b);
