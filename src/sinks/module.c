/*
 * module.c
 *		What the server wants to see in a library before it loads it.
 *
 * NOTES
 *	  Linked into each sink module, so that the sinks themselves need no server
 *	  header.
 */
#include "postgres.h"

#include "compat.h"
#include "fmgr.h"

DBMAZZ_MODULE_MAGIC("dbmazz sink");
