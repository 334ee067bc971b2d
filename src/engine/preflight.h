/* SPDX-License-Identifier: MIT */
/* preflight.c: may this image go into this pack. */
#pragma once

#include "bmsflash/session.h"

struct bf_run;

/* Asked of the application, and where that has other numbers of its bootloader once more. */
enum bf_rc bf_check_usb(struct bf_run *run, struct bf_err *err);
/* Is there firmware that writing would destroy, as far as pack, journal and user say? */
bool bf_app_may_be_lost(const struct bf_run *run);
