/* SPDX-License-Identifier: MIT */
/*
 * The computer that bmsflash runs on, as far as an update depends on it: that it neither sleeps nor shuts down while
 * firmware is written, and that its own battery lasts.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* ---- staying awake: a lock of systemd-logind (org.freedesktop.login1, Inhibit) ---- */

struct bf_awake;

/*
 * Keeps the computer from sleeping and shutting down until it is released. Returns NULL where that cannot be had: with
 * the words of logind in why_not, which is empty where there is no logind. Waits two seconds for each of two questions at
 * most. `why` is what the desktop shows.
 */
struct bf_awake *bf_awake_take(const char *why, char *why_not, size_t cap);
/* Takes NULL. */
void bf_awake_release(struct bf_awake *awake);

/* ---- the adapter in use: power/control of its USB device in sysfs ---- */

struct bf_usb_awake;

/*
 * Keeps the USB device behind a serial port or a network interface from being suspended until it is released, which puts
 * back what was set before. NULL where there is none, where it is never suspended, or where this user may not say so:
 * none of that is an error. root: before /sys, "" but in tests.
 */
struct bf_usb_awake *bf_usb_awake_take(const char *root, const char *iface);
/* Takes NULL. */
void bf_usb_awake_release(struct bf_usb_awake *awake);

/* ---- its battery: /sys/class/power_supply ---- */

struct bf_power {
	bool on_battery; /* it has one, discharging, and no mains */
	int percent;     /* of the fullest battery, -1: not told */
};
/* class: the folder to read. */
void bf_power_look(const char *class, struct bf_power *ret);
#define BF_POWER_CLASS "/sys/class/power_supply"
