/* SPDX-License-Identifier: MIT */
/*
 * The pack's SMP servers: MCUboot's serial recovery in the bootloader, Zephyr's image management in the firmware.
 * Both take one request after the other; what differs between them is told where it differs.
 */
#pragma once

#include "sim/bytes.h"

extern const struct bf_bytes_ops bf_smp_bytes;
