/* SPDX-License-Identifier: MIT */
#pragma once

/* A member that the wrapped wire has not stays NULL in the wrapper. */
#define BF_KEEP(inner, member, fn) ((inner)->member ? (fn) : NULL)
