/*
 * privilege.c
 *		May a pipeline's owner read what the pipeline sends?
 */
#include "postgres.h"

#include "catalog/partition.h"
#include "catalog/pg_authid.h"
#include "privilege.h"
#include "utils/acl.h"
#include "utils/lsyscache.h"
#include "utils/rls.h"
#include "utils/syscache.h"

static bool
may_select(Oid relid, Oid role, int ncolumns, const int16 *columns)
{
	int			i;

	if (pg_class_aclcheck(relid, role, ACL_SELECT) == ACLCHECK_OK)
		return true;
	if (ncolumns < 0)
		return pg_attribute_aclcheck_all(relid, role, ACL_SELECT,
										 ACLMASK_ALL) == ACLCHECK_OK;
	for (i = 0; i < ncolumns; i++)
	{
		bool		is_missing = false;

		if (pg_attribute_aclcheck_ext(relid, columns[i], role, ACL_SELECT,
									  &is_missing) != ACLCHECK_OK)
			return false;
	}
	return true;
}

static DbmazzPrivilege
of_table(Oid relid, Oid role, int ncolumns, const int16 *columns)
{
	if (!may_select(relid, role, ncolumns, columns))
		return DBMAZZ_LACKS_SELECT;
	if (check_enable_rls(relid, role, true) == RLS_ENABLED)
		return DBMAZZ_HAS_POLICIES;
	return DBMAZZ_MAY_READ;
}

/*
 * For a table's parents only privileges on the whole of them count: the same
 * column may have another number there.
 */
DbmazzPrivilege
dbmazz_privilege(Oid relid, Oid role, int ncolumns, const int16 *columns)
{
	DbmazzPrivilege result;
	ListCell   *lc;

	if (!SearchSysCacheExists1(RELOID, ObjectIdGetDatum(relid)))
		return has_privs_of_role(role, ROLE_PG_READ_ALL_DATA) ?
			DBMAZZ_MAY_READ : DBMAZZ_NO_TABLE;
	result = of_table(relid, role, ncolumns, columns);
	if (result == DBMAZZ_MAY_READ || !get_rel_relispartition(relid))
		return result;
	foreach(lc, get_partition_ancestors(relid))
	{
		if (of_table(lfirst_oid(lc), role, -1, NULL) == DBMAZZ_MAY_READ)
			return DBMAZZ_MAY_READ;
	}
	return result;
}

DbmazzPrivilege
dbmazz_desc_privilege(const DbmazzTableDesc *desc, Oid role)
{
	int16	   *columns = palloc(sizeof(*columns) * desc->ncolumns);
	DbmazzPrivilege result;
	int			n = 0;
	int			i;

	for (i = 0; i < desc->ncolumns; i++)
	{
		if (desc->columns[i].attnum > 0)
			columns[n++] = desc->columns[i].attnum;
	}
	result = dbmazz_privilege(desc->relid, role, n, columns);
	pfree(columns);
	return result;
}
