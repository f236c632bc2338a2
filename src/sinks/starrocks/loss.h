/*
 * loss.h
 *		Pairs of types where StarRocks changes a value instead of refusing it.
 */
#ifndef DBMAZZ_SR_LOSS_H
#define DBMAZZ_SR_LOSS_H

#include "core/tabledesc.h"
#include "sinks/starrocks/schema.h"

/*
 * What happens to values of the source in such a column, to stand behind "when";
 * NULL if it keeps them all or refuses those that it cannot hold.
 */
extern const char *dbmazz_sr_type_loses(const DbmazzColumnDesc *source,
										const DbmazzSrColumn *target);

#endif							/* DBMAZZ_SR_LOSS_H */
