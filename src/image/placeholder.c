/* SPDX-License-Identifier: MIT */
#include "bmsflash/base.h"
