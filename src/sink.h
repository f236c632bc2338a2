/*
 * sink.h
 *		Loading of sink modules and the options of a pipeline's destination.
 */
#ifndef DBMAZZ_SINKLOAD_H
#define DBMAZZ_SINKLOAD_H

#include "catalog.h"
#include "dbmazz_sink.h"

/*
 * The routine of the module "dbmazz_<name>" in $libdir; loads it at the first
 * call.  Raises an error if there is none, the name is not a plain identifier
 * ([a-z][a-z0-9_]*), or the module has another ABI.
 */
extern const DbmazzSinkRoutine *dbmazz_sink_routine(const char *name);

/*
 * The complete options of a pipeline's destination, palloc'd: from its foreign
 * server and the user mapping of its owner, or else from the settings
 * dbmazz.<sink>_<option>; defaults filled in; checked by the sink.  Raises an
 * error whose hint names what to set.  Needs a transaction.
 */
extern DbmazzOption *dbmazz_sink_options(const DbmazzSinkRoutine *routine,
										 const DbmazzPipelineRow *row,
										 int *noptions);

/* The destination's identity, palloc'd: "<sink>:<text of the sink>". */
extern char *dbmazz_sink_identity(const DbmazzSinkRoutine *routine,
								  const DbmazzOption *options, int noptions);

/* Can it send each row once, in this encoding?  Else the error is set. */
extern bool dbmazz_sink_delivers_once(const DbmazzSinkRoutine *routine,
									  const char *encoding, DbmazzError *err);

/* The same: can it load several tables at once? */
extern bool dbmazz_sink_groups(const DbmazzSinkRoutine *routine,
							   const char *encoding, DbmazzError *err);

/* Names of the options that fit a server (or user mapping), for hints. */
extern char *dbmazz_sink_option_names(const DbmazzSinkRoutine *routine,
									  bool user_mapping);

/* An option by its name, or NULL. */
extern const DbmazzOptionDef *dbmazz_sink_option(const DbmazzSinkRoutine *routine,
												 const char *name);

/*
 * Check a value's form and range and return it as sinks get it, palloc'd: times
 * in milliseconds, booleans as on or off.  Raises an error; its text has the
 * value unless it is a secret.
 */
extern char *dbmazz_sink_value(const DbmazzOptionDef *def, const char *value);

#endif							/* DBMAZZ_SINKLOAD_H */
