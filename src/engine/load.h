/* SPDX-License-Identifier: MIT */
/* load.c: files in. It alone writes these two. */
#pragma once

#include "bmsflash/session.h"

struct bf_run;

/* What the user gave besides the firmware. writer: load.c */
struct bf_given {
	struct bf_profile profile;
	struct bf_keyring *ring;
	struct bf_image *driver; /* what the profile's [driver] names */
};

#define BF_PARTS_MAX 4

/* One of several images that are written in one run; see struct bf_wanted. */
struct bf_aim {
	struct bf_image *image;
	bool has_version;
	struct bf_version version;
	uint8_t digest[64];
	size_t digest_len;
};

/*
 * The firmware that shall run in the end. A pack with several images may take all of them in one run: each is a part,
 * and `image`, version and digest are those of the part that is worked on; the others wait aside. writer: load.c
 */
struct bf_wanted {
	struct bf_image *image;
	unsigned n_parts; /* 0 or 1: one image */
	unsigned part;    /* that is worked on, which is also its image number */
	struct bf_aim aside[BF_PARTS_MAX];
	struct bf_image
		*fallback; /* what the pack goes back to where it has no backup; NULL: none */
	bool went_to_fallback;
	bool own; /* from a backup of this very pack */
	bool has_version;
	struct bf_version version;
	uint8_t digest[64]; /* as the pack reports it */
	size_t digest_len;
	/* Where an MCUboot image lies in this pack: found by this run, or told by its journal or archive. */
	bool has_place;
	uint32_t place_addr;
	unsigned place_alt;
	bool usb_later; /* its USB numbers are not the application's: the bootloader is asked */
};

/* How many images this run is about, at least 1. */
unsigned bf_parts(const struct bf_run *run);
void bf_wanted_parts(struct bf_run *run, unsigned n);
void bf_wanted_part(struct bf_run *run, unsigned part);
/* NULL: none was given. */
const struct bf_image *bf_wanted_of(const struct bf_run *run, unsigned part);
/* In place of the image before; version and digest are what it says of itself. */
void bf_wanted_image(struct bf_run *run, struct bf_image *image);
/* The fallback in place of the image, and once more: the image again. */
void bf_wanted_swap(struct bf_run *run);
/* From now on the fallback is what shall run. */
void bf_wanted_go_back(struct bf_run *run);
void bf_wanted_own(struct bf_run *run, bool own);
/* What a bank or an archive says of it; NULL or 0: nothing, what is known stays. */
void bf_wanted_told(struct bf_run *run, const struct bf_version *version, const uint8_t *digest,
		    size_t digest_len);
void bf_wanted_place(struct bf_run *run, bool known, uint32_t addr, unsigned alt);
/* Version and digest from the image. */
void bf_run_target(struct bf_run *run);
void bf_wanted_usb_later(struct bf_run *run, bool later);
/* By the digest that the pack tells of it. */
bool bf_wanted_in(const struct bf_run *run, const struct bf_slot *slot);
/* The flash driver of the profile, where it names one. */
enum bf_rc bf_load_driver(struct bf_run *run, struct bf_err *err);
void bf_given_done(struct bf_run *run);
bool bf_job_checks_profiles(const struct bf_job *job);
