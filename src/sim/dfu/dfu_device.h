/* SPDX-License-Identifier: MIT */
/*
 * The pack as a USB device with firmware upgrade: USB 2.0 chapter 9 as far as endpoint 0 goes, DFU 1.1,
 * and DfuSe (ST UM0391, AN3156). It knows no wire: somebody hands it control transfers and tells the time.
 *
 *   form     what it takes                                             how it is left
 *   DFU 1.1  one MCUboot image into the second slot, started on trial  USB reset
 *   DfuSe    anything by address into a single bank                    download of length 0
 *
 * These two are the project's own. Options with a model make it a device of others: see dfu_models.c.
 */
#pragma once

#include <stdbool.h>

#include "bmsflash/clock.h"
#include "sim/pack.h"
#include "sim/usb/usb_gadget.h"

#define BF_DFU_MAX_TRANSFER 2048

struct bf_dfu_device;

/* Borrows the pack, which must outlive it; it runs the pack, nobody else may. */
struct bf_dfu_device *bf_dfu_device_new(struct bf_pack *pack, bf_time now);
struct bf_dfu_device *bf_dfu_device_free(struct bf_dfu_device *dev); /* takes NULL, returns NULL */
BF_DEFINE_CLEANUP(bf_dfu_device, bf_dfu_device_free)

/* On the bus and enumerated? The number changes whenever it comes back. */
bool bf_dfu_device_present(const struct bf_dfu_device *dev);
unsigned bf_dfu_device_enumeration(const struct bf_dfu_device *dev);

/*
 * One control transfer, setup packet as on the wire. Host to device: data holds wLength bytes. Device to
 * host: data takes up to wLength bytes. Returns the bytes moved or an enum bf_usb_answer.
 */
int bf_dfu_device_control(struct bf_dfu_device *dev, const uint8_t setup[8], uint8_t *data,
			  bf_time now);
void bf_dfu_device_bus_reset(struct bf_dfu_device *dev, bf_time now);

/* Class requests that went to an interface of the application which is no DFU interface. */
unsigned bf_dfu_device_strays(const struct bf_dfu_device *dev);

/*
 * The judge of what was erased and written since the pack was made. An image from `from`, len bytes long, may
 * touch the sectors that hold it, as the part really has them, and nothing else: returns the address of the
 * first 1 KiB elsewhere that was touched, 0 when there is none.
 */
uint32_t bf_dfu_device_outside(const struct bf_pack *pack, uint32_t from, size_t len);
/* What the model has in its flash beside the firmware, put there when the pack is new. */
void bf_dfu_device_preload(struct bf_pack *pack);

/* As a struct bf_vsource wants it. */
bf_time bf_dfu_device_next(const struct bf_dfu_device *dev);
void bf_dfu_device_run(struct bf_dfu_device *dev, bf_time now);
struct bf_gadget bf_dfu_gadget(struct bf_dfu_device *dev);
