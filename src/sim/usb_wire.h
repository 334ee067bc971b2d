/* SPDX-License-Identifier: MIT */
/* The pack behind a transport of bf_sim_usb_open(), NULL for any other transport. */
#pragma once

#include "bmsflash/transport.h"
#include "pack.h"

struct bf_pack *bf_sim_usb_pack(struct bf_transport *t);
