/* SPDX-License-Identifier: MIT */
/* verify.c: does the pack hold what it should. */
#pragma once

struct bf_run;

bool bf_verify_stream(struct bf_run *run);
