/*
 * pgoutput.h
 *		Parser of pgoutput messages, protocol version 1.
 *
 * NOTES
 *	  Source of the format: "Logical Replication Message Formats" in the
 *	  PostgreSQL documentation; src/backend/replication/logical/proto.c.
 *	  The results point into the message; nothing is copied.  The input is not
 *	  trusted: every length is compared with what is left before it is used.
 *	  Messages of the streaming and two-phase protocols (S E c A b P K r p) are
 *	  recognised and refused with DBMAZZ_ERR_UNSUPPORTED.
 */
#ifndef DBMAZZ_PGOUTPUT_H
#define DBMAZZ_PGOUTPUT_H

#include "core/bytes.h"
#include "core/error.h"
#include "core/tabledesc.h"

typedef enum DbmazzValueKind
{
	DBMAZZ_VALUE_NULL = 'n',
	DBMAZZ_VALUE_UNCHANGED = 'u',	/* unchanged TOAST: not sent */
	DBMAZZ_VALUE_TEXT = 't',
	DBMAZZ_VALUE_BINARY = 'b',
	DBMAZZ_VALUE_BROKEN = 'x'	/* no kind of pgoutput: a text that is not UTF-8
								 * and could not be made so; what is no character
								 * is escaped */
} DbmazzValueKind;

typedef struct DbmazzValue
{
	const char *data;
	uint32_t	len;
	char		kind;			/* DbmazzValueKind */
} DbmazzValue;

typedef struct DbmazzTuple
{
	uint16_t	ncolumns;		/* of a message: at most DBMAZZ_MAX_COLUMNS */
	DbmazzValue values[DBMAZZ_MAX_VALUES];
} DbmazzTuple;

typedef struct DbmazzRelationColumn
{
	const char *name;			/* terminated */
	uint32_t	typid;
	int32_t		typmod;
	uint8_t		flags;			/* 1: part of the key that pgoutput sends */
} DbmazzRelationColumn;

typedef struct DbmazzMessage
{
	char		kind;			/* B C O R Y I U D T M */
	union
	{
		struct
		{
			uint64_t	final_lsn;	/* start of the commit record */
			int64_t		commit_time;	/* microseconds since 2000-01-01 UTC */
			uint32_t	xid;
		}			begin;
		struct
		{
			uint64_t	commit_lsn;
			uint64_t	end_lsn;	/* end of the commit record */
			int64_t		commit_time;
		}			commit;
		struct
		{
			uint64_t	lsn;
			const char *name;
		}			origin;
		struct
		{
			uint32_t	relid;
			const char *schema; /* "" for pg_catalog */
			const char *table;
			char		replica_identity;	/* d n f i */
			uint16_t	ncolumns;	/* columns are in parser->columns */
		}			relation;
		struct
		{
			uint32_t	typid;
			const char *schema;
			const char *name;
		}			type;
		struct
		{
			uint32_t	relid;
			char		old_kind;	/* 'K', 'O', or 0: no parser->old_tuple */
		}			change;		/* I, U: parser->new_tuple is set */
		struct
		{
			uint32_t	nrelids;
			uint8_t		options;	/* 1 CASCADE, 2 RESTART IDENTITY */
			const char *relids; /* nrelids big-endian uint32 */
		}			truncate;
		struct
		{
			uint8_t		flags;	/* 1: transactional */
			uint64_t	lsn;
			const char *prefix;
			DbmazzSpan	content;
		}			message;
	}			u;
} DbmazzMessage;

/* Large (about 110 kB): allocate once, keep for the life of the process. */
typedef struct DbmazzParser
{
	DbmazzTuple new_tuple;
	DbmazzTuple old_tuple;
	DbmazzRelationColumn columns[DBMAZZ_MAX_COLUMNS];
	DbmazzMessage message;
	DbmazzError error;
} DbmazzParser;

/*
 * Parse one message into parser->message and the arrays of the parser.  On
 * failure parser->error tells the byte's offset.  Trailing bytes are an error.
 * Never throws.
 */
extern DbmazzStatus dbmazz_pgoutput_parse(DbmazzParser *parser,
										  const char *data, size_t len);

/* The i-th relation of a Truncate message. */
static inline uint32_t
dbmazz_truncate_relid(const DbmazzMessage *message, uint32_t i)
{
	return dbmazz_get_u32(message->u.truncate.relids + 4 * (size_t) i);
}

#endif							/* DBMAZZ_PGOUTPUT_H */
