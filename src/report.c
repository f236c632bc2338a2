/*
 * report.c
 *		From error records to the server's error reporting, and back.
 */
#include "postgres.h"

#include "report.h"

void
dbmazz_report(int elevel, int sqlerrcode, const char *prefix,
			  const DbmazzError *error)
{
	ereport(elevel,
			(errcode(sqlerrcode),
			 prefix != NULL ?
			 errmsg("%s: %s", prefix, error->message) :
			 errmsg_internal("%s", error->message),
			 error->detail[0] != '\0' ?
			 errdetail_internal("%s", error->detail) : 0,
			 error->hint[0] != '\0' ? errhint("%s", error->hint) : 0));
}

/*
 * What the server complains about has no status of its own here: it is
 * something that is known and that this process cannot handle.
 */
void
dbmazz_error_from_server(DbmazzError *error, const ErrorData *edata)
{
	dbmazz_error_set(error, DBMAZZ_ERR_UNSUPPORTED, 0, "%s",
					 edata->message != NULL ? edata->message :
					 "missing error text");
	if (edata->detail != NULL)
		dbmazz_error_detail(error, "%s", edata->detail);
	if (edata->hint != NULL)
		dbmazz_error_hint(error, "%s", edata->hint);
}
