/*
 * guc_private.h
 *		What the two files of the settings share.
 */
#ifndef DBMAZZ_GUC_PRIVATE_H
#define DBMAZZ_GUC_PRIVATE_H

#include "guc.h"

#define DBMAZZ_GUC_PREFIX		"dbmazz."
#define DBMAZZ_GUC_PASSWORD		"starrocks_password"

/* Who may give a pipeline its own value of a setting. */
typedef enum DbmazzOverride
{
	DBMAZZ_OVERRIDE_NONE,		/* nobody */
	DBMAZZ_OVERRIDE_OWNER,		/* whoever may alter the pipeline */
	DBMAZZ_OVERRIDE_SET			/* whoever may SET it: it says where data and
								 * the default password are sent */
} DbmazzOverride;

typedef struct DbmazzSettingName
{
	const char *name;			/* without the prefix */
	DbmazzOverride override;
} DbmazzSettingName;

/* The settings one after the other, from 0; false behind the last. */
extern bool dbmazz_guc_nth(int n, DbmazzSettingName *setting);

#endif							/* DBMAZZ_GUC_PRIVATE_H */
