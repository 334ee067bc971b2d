/* SPDX-License-Identifier: MIT */
/* The pack and the device behind a transport of bf_sim_usb_open(), NULL for any other transport. */
#pragma once

#include "bmsflash/transport.h"
#include "sim/dfu/dfu_device.h"

struct bf_pack *bf_sim_usb_pack(struct bf_transport *t);
struct bf_dfu_device *bf_sim_usb_device(struct bf_transport *t);
