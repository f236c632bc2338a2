/*
 * report.c
 *		From error records to the server's error reporting, and back.
 */
#include "postgres.h"

#include "encoding.h"
#include "report.h"

void
dbmazz_report(int elevel, int sqlerrcode, const char *prefix,
			  const DbmazzError *error)
{
	const char *message = dbmazz_from_utf8(error->message);
	const char *detail = dbmazz_from_utf8(error->detail);
	const char *hint = dbmazz_from_utf8(error->hint);

	ereport(elevel,
			(errcode(sqlerrcode),
			 prefix != NULL ?
			 errmsg("%s: %s", prefix, message) :
			 errmsg_internal("%s", message),
			 detail[0] != '\0' ? errdetail_internal("%s", detail) : 0,
			 hint[0] != '\0' ? errhint("%s", hint) : 0));
}

/*
 * What the server complains about has no status of its own here: it is
 * something that is known and that this process cannot handle.
 */
void
dbmazz_error_from_server(DbmazzError *error, const ErrorData *edata)
{
	dbmazz_error_set(error, DBMAZZ_ERR_UNSUPPORTED, 0, "%s",
					 edata->message != NULL ?
					 dbmazz_to_utf8(edata->message) : "missing error text");
	if (edata->detail != NULL)
		dbmazz_error_detail(error, "%s", dbmazz_to_utf8(edata->detail));
	if (edata->hint != NULL)
		dbmazz_error_hint(error, "%s", dbmazz_to_utf8(edata->hint));
}
