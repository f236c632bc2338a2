/*
 * module_magic.c
 *		The server's mark of a loadable module, for sink modules that it loads
 *		itself.
 *
 * NOTES
 *	  The only source of a sink that includes a server header, so that all else
 *	  can be compiled and tested without a server.
 */
#include "postgres.h"

#include "fmgr.h"

PG_MODULE_MAGIC;
