/*
 * privilege.h
 *		May a pipeline's owner read what the pipeline sends?
 *
 * NOTES
 *	  Decoding looks at no privilege and no row security policy.  So this is asked
 *	  for the role on whose behalf rows leave the database: when a pipeline is made
 *	  or started, for every table of the publication; and for a table that comes
 *	  later, with the catalogs that were in force at its changes (relation.c) and,
 *	  where these say no, with those of now, which a user can still repair
 *	  (shipper_lane.c).
 */
#ifndef DBMAZZ_PRIVILEGE_H
#define DBMAZZ_PRIVILEGE_H

#include "core/tabledesc.h"

typedef enum DbmazzPrivilege
{
	DBMAZZ_MAY_READ = 0,
	DBMAZZ_NO_TABLE,			/* it is not there, and the role may not read
								 * all there is */
	DBMAZZ_LACKS_SELECT,
	DBMAZZ_HAS_POLICIES			/* row-level security applies to the role */
} DbmazzPrivilege;

/*
 * May the role read these columns (attribute numbers; 'ncolumns' -1: all) of all
 * rows of the table?  The right to read a table is one for its partitions.  Reads
 * catalogs only, also within a decoding callback; may longjmp.
 */
extern DbmazzPrivilege dbmazz_privilege(Oid relid, Oid role, int ncolumns,
										const int16 *columns);

/* The same for the columns that a description has. */
extern DbmazzPrivilege dbmazz_desc_privilege(const DbmazzTableDesc *desc,
											 Oid role);

#endif							/* DBMAZZ_PRIVILEGE_H */
