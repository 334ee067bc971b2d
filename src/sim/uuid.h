/* SPDX-License-Identifier: MIT */
/* Names to identifiers as signing tools make them: RFC 4122 version 5. */
#pragma once

#include "bmsflash/base.h"

/* UUIDv5 of a domain-like name in the DNS name space. */
void bf_uuid_dns(uint8_t ret[16], const char *name);
/* UUIDv5 of a name in the name space of another UUID. */
void bf_uuid_in(uint8_t ret[16], const uint8_t space[16], const char *name);
